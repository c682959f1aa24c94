"""Inpainting systems on the same held-out pictures, with the same captions and noise."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from training.data.batches import captions_of
from training.data.memory_dataset import PreparedSplit
from training.evaluation.dataset import evenly_spaced, select_pictures
from training.experiments.comparison.filling import Which, data_folder, load_filling, load_shared
from training.experiments.comparison.keyword_table import KEYWORDS
from training.experiments.comparison.keywords import by_keyword, keyword_drawing, keyword_rows
from training.experiments.comparison.measuring import FIGURES, Measured
from training.experiments.comparison.side_by_side import (
    Draws,
    Rows,
    by_name,
    figures_table,
    fills_grid,
    measure_all,
    side_by_side,
)
from training.experiments.output import beside, leave_table
from training.experiments.registry import (
    Count,
    Data,
    Out,
    Runs,
    Seed,
    Split,
    draw,
    experiment,
    leave,
)
from training.metrics.definitions import COMPARISON_DEFINITIONS
from training.metrics.mobilenet import require_extractor
from training.runs.load_run import NEWEST

KEYWORD_FIGURES = {"hole_psnr": "hole-PSNR, dB", "feature_distance": "feature distance to real"}


class RankBy(StrEnum):
    """A figure that says how good a single picture is."""

    FEATURE_DISTANCE = "feature_distance"
    HOLE_PSNR = "hole_psnr"
    L1 = "l1"
    SSIM = "ssim"


Rank = Annotated[
    RankBy, typer.Option(help="What best and worst pictures are found by, the mean over the runs.")
]


@experiment("compare")
def compare(
    runs: Runs,
    out: Out,
    data: Data = None,
    split: Split = None,
    count: Count = 500,
    seed: Seed = 0,
    which: Which = NEWEST,
    draws: Draws = 3,
    rank_by: Rank = RankBy.FEATURE_DISTANCE,
    rows: Rows = 10,
) -> None:
    """Set runs side by side: figures paired with the first run's, keywords, best and worst.

    Beside OUT.json: OUT.md, OUT.png (the first pictures, unpicked), OUT-best.png, OUT-worst.png
    and OUT-keywords.png.
    """
    named = by_name(load_filling(folder, which, data) for folder in runs)
    loaded = [*named.values()]
    prepared = load_shared(loaded, data_folder(loaded, data), split)
    pictures = select_pictures(prepared, count, seed)
    measured = measure_all(named, pictures, require_extractor(), draws, seed)
    keywords = by_keyword(
        keyword_rows(all_captions(prepared, count)),
        {run: {f: one.figures[f] for f in KEYWORD_FIGURES} for run, one in measured.items()},
        seed,
    )
    order, values = ranked(measured, rank_by)
    told = side_by_side(measured, seed)
    results = told | {
        "data": f"{prepared.manifest.source}, {prepared.digest}",
        "pictures": f"{len(pictures)}, evenly spaced through {len(prepared)}",
        "seed": seed,
        "draws": draws,
        "keywords": keywords,
        "ranked": ranking(order[:rows], order.flip(0)[:rows], values, pictures.captions)
        | {"by": rank_by.value},
        "keyword_table": KEYWORDS,
        "definitions": COMPARISON_DEFINITIONS,
    }
    fills = {name: one.fills for name, one in measured.items()}
    first = fills_grid(pictures, fills, range(rows), pictures.captions)
    leave(out, "compare", loaded, results, first)
    by = rank_by.replace("_", " ")
    texts = [f"{by} {v:.2f}: {c}" for v, c in zip(values, pictures.captions, strict=True)]
    for name, places in {"best": order, "worst": order.flip(0)}.items():
        draw(fills_grid(pictures, fills, places[:rows].tolist(), texts), beside(out, name))
    if keywords:
        draw(keyword_drawing(keywords, KEYWORD_FIGURES), beside(out, "keywords"))
    leave_table(out, figures_table(told))


def all_captions(prepared: PreparedSplit, limit: int) -> list[list[str]]:
    """Return all captions of each picture that `select_pictures` takes."""
    return [captions_of(prepared, row) for row in evenly_spaced(len(prepared), limit).tolist()]


def ranked(measured: Mapping[str, Measured], by: str) -> tuple[Tensor, Tensor]:
    """Rank pictures by a figure's mean over the runs.

    Returns:
        Rows of the pictures `(N,)`, the best first, and each picture's mean `(N,)`.
    """
    values = torch.stack([one.figures[by] for one in measured.values()]).mean(0)
    return values.argsort(descending=bool(FIGURES[by]), stable=True), values


def ranking(
    best: Tensor, worst: Tensor, values: Tensor, captions: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the best and the worst pictures' captions and values as plain values."""
    return {
        name: [{"caption": captions[row], "value": float(values[row])} for row in rows.tolist()]
        for name, rows in {"best": best, "worst": worst}.items()
    }
