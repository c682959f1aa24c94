"""Compares inpainting runs by the metrics of each fill: freely, or as ablations of a base."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from training.data.batches import captions_of
from training.data.memory_dataset import PreparedSplit
from training.evaluation.dataset import EvaluationSet, evenly_spaced, select_pictures
from training.experiments.comparison.columns import Column, bar_chart, markdown_rows
from training.experiments.comparison.config_diff import changes_of_runs, in_words
from training.experiments.comparison.fills import (
    KID_COLUMN,
    LARGER_IS_BETTER,
    FillMetrics,
    figures_table,
    measure_runs,
    paired_figures,
)
from training.experiments.comparison.keywords import (
    KEYWORDS,
    by_keyword,
    draw_keywords,
    keyword_rows,
)
from training.experiments.comparison.request import Comparison, Picture, Request
from training.experiments.comparison.run_state import available_steps, common_steps, final_state
from training.experiments.comparison.runs import (
    by_name,
    data_folder,
    fills_grid,
    load_at_step,
    load_inpainting_run,
    load_shared_split,
)
from training.metrics.definitions import COMPARISON_DEFINITIONS
from training.metrics.mobilenet import require_extractor
from training.runs.load_run import LoadedRun
from training.runs.run_dir import RunDir

KEYWORD_FIGURES = {"hole_psnr": "hole-PSNR, dB", "feature_distance": "feature distance to real"}
ABLATION_TABLE = (
    Column("run", "run"),
    Column("changed", "changed"),
    Column("step", "steps"),
)
ABLATION_FIGURES = (
    Column("hole_psnr", "hole-PSNR, dB ↑"),
    Column("to_base", "hole-PSNR to the base, paired, dB ↑", 3),
    KID_COLUMN,
    Column("seam_ratio", "seam ratio (1 = real)", 3, reference=1),
    Column("square_ratio", "square ratio (1 = real)", 3, reference=1),
    Column("contrast", "contrast (1 = real)", 3, reference=1),
    Column("draws_differ_features", "draws differ, features ↑", 3),
    Column("M", "M_global at the end ↓", 4),
    Column("k", "k at the end", 4),
)


def compare_fills(request: Request) -> Comparison:
    """Compare runs by paired metrics, by keywords, and by their best and worst pictures."""
    runs = by_name(load_inpainting_run(f, request.which, *request.data) for f in request.folders)
    prepared, pictures, measured, results = measure(runs, request)
    keywords = by_keyword(
        keyword_rows(all_captions(prepared, request.count)),
        {run: {f: m.values[f] for f in KEYWORD_FIGURES} for run, m in measured.items()},
        request.seed,
    )
    order, values = ranked(measured, request.rank_by)
    ends = {"best": order[: request.rows], "worst": order.flip(0)[: request.rows]}
    results |= {
        "keywords": keywords,
        "ranked": ranking(ends, values, pictures.captions) | {"by": request.rank_by.value},
        "keyword_table": KEYWORDS,
    }
    fills = {name: metrics.fills for name, metrics in measured.items()}
    metric = request.rank_by.replace("_", " ")
    texts = [f"{metric} {v:.2f}: {c}" for v, c in zip(values, pictures.captions, strict=True)]
    more: dict[str, Picture] = {
        name: fills_grid(pictures, fills, rows.tolist(), texts) for name, rows in ends.items()
    }
    if keywords:
        more["keywords"] = draw_keywords(keywords, KEYWORD_FIGURES)
    first = fills_grid(pictures, fills, range(request.rows), pictures.captions)
    return Comparison([*runs.values()], results, figures_table(results), first, more)


def compare_ablation(request: Request) -> Comparison:
    """Compare runs that each change something of the first: the changes and their effect.

    All runs are loaded at the last step that they share; without one, each at its own last step.
    """
    changes = changes_of_runs([RunDir.open(folder) for folder in request.folders])
    steps = common_steps([available_steps(folder) for folder in request.folders])
    runs = by_name(
        load_at_step(folder, step, *request.data)
        for folder, step in zip(request.folders, steps, strict=True)
    )
    _, pictures, measured, results = measure(runs, request)
    by_run = dict(zip(runs, changes, strict=True))
    ends = {name: final_state(run.run.folder, run.step) for name, run in runs.items()}
    rows = []
    for name, figures in results["figures"].items():
        to_base = results["differences"].get(name, {}).get("hole_psnr")
        facts = {"run": name, "changed": in_words(by_run[name]), "to_base": to_base}
        rows.append({**facts, **figures, **ends[name], "why": ends[name]["why"] or "no"})
    results |= {
        "changes": {
            name: {key: {"base": old, "here": new} for key, (old, new) in changed.items()}
            for name, changed in by_run.items()
        },
        "equal_steps": len(set(steps)) == 1,
        "ends": ends,
    }
    fills = {name: metrics.fills for name, metrics in measured.items()}
    grid = fills_grid(pictures, fills, range(request.rows), pictures.captions)
    columns = (*ABLATION_TABLE, *ABLATION_FIGURES, Column("why", "diverged"))
    table = f"{markdown_rows(columns, rows)}\n\n{figures_table(results)}"
    chart = bar_chart(ABLATION_FIGURES, rows, base=next(iter(runs)))
    return Comparison([*runs.values()], results, table, chart, {"fills": grid})


def measure(
    runs: Mapping[str, LoadedRun], request: Request
) -> tuple[PreparedSplit, EvaluationSet, dict[str, FillMetrics], dict[str, Any]]:
    """Measure runs on the same pictures.

    Returns:
        The split, its pictures, the metrics by run, and the results of any kind of comparison.
    """
    loaded = [*runs.values()]
    prepared = load_shared_split(loaded, data_folder(loaded, request.folder), request.split)
    pictures = select_pictures(prepared, request.count, request.seed)
    measured = measure_runs(runs, pictures, require_extractor(), request.draws, request.seed)
    results = paired_figures(measured, request.seed) | {
        "data": f"{prepared.manifest.source}, {prepared.digest}",
        "pictures": f"{len(pictures)}, evenly spaced through {len(prepared)}",
        "seed": request.seed,
        "draws": request.draws,
        "definitions": COMPARISON_DEFINITIONS,
    }
    return prepared, pictures, measured, results


def all_captions(prepared: PreparedSplit, limit: int) -> list[list[str]]:
    """Return all captions of each picture that `select_pictures` selects."""
    return [captions_of(prepared, row) for row in evenly_spaced(len(prepared), limit).tolist()]


def ranked(measured: Mapping[str, FillMetrics], metric: str) -> tuple[Tensor, Tensor]:
    """Rank pictures by a metric's mean over the runs.

    Returns:
        Rows of the pictures `(N,)`, the best first, and each picture's mean `(N,)`.
    """
    values = torch.stack([metrics.values[metric] for metrics in measured.values()]).mean(0)
    return values.argsort(descending=metric in LARGER_IS_BETTER, stable=True), values


def ranking(
    ends: Mapping[str, Tensor], values: Tensor, captions: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the captions and values of the best and the worst pictures as JSON values."""
    return {
        name: [{"caption": captions[row], "value": float(values[row])} for row in rows.tolist()]
        for name, rows in ends.items()
    }
