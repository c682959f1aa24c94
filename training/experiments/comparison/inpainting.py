"""Compares inpainting runs by metrics of each fill, by keywords, and by best and worst fills."""

from collections.abc import Mapping

import torch
from torch import Tensor

from training.data.batches import captions_of
from training.evaluation.dataset import evenly_spaced
from training.experiments.comparison.fills import (
    LARGER_IS_BETTER,
    FillMetrics,
    figures_table,
    measure_runs,
)
from training.experiments.comparison.keywords import (
    KEYWORDS,
    by_keyword,
    draw_keywords,
    keyword_rows,
)
from training.experiments.comparison.runs import (
    Comparison,
    Picture,
    Request,
    by_name,
    fills_grid,
    load_inpainting_run,
)

KEYWORD_FIGURES = {"hole_psnr": "hole-PSNR, dB", "feature_distance": "feature distance to real"}


def compare_fills(request: Request) -> Comparison:
    """Compare runs by paired metrics, by keywords, and by their best and worst pictures."""
    runs = by_name(load_inpainting_run(f, request.which, *request.data) for f in request.folders)
    prepared, pictures, measured, results = measure_runs(runs, request)
    rows_of_pictures = evenly_spaced(len(prepared), request.count).tolist()
    keywords = by_keyword(
        keyword_rows([captions_of(prepared, row) for row in rows_of_pictures]),
        {run: {f: m.values[f] for f in KEYWORD_FIGURES} for run, m in measured.items()},
        request.seed,
    )
    order, values = ranked(measured, request.rank_by)
    ends = {"best": order[: request.rows], "worst": order.flip(0)[: request.rows]}
    ranking = {
        name: [{"caption": pictures.captions[i], "value": float(values[i])} for i in rows.tolist()]
        for name, rows in ends.items()
    }
    results |= {
        "keywords": keywords,
        "ranked": ranking | {"by": request.rank_by.value},
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


def ranked(measured: Mapping[str, FillMetrics], metric: str) -> tuple[Tensor, Tensor]:
    """Rank pictures by a metric's mean over the runs.

    Returns:
        Rows of the pictures `(N,)`, the best first, and each picture's mean `(N,)`.
    """
    values = torch.stack([metrics.values[metric] for metrics in measured.values()]).mean(0)
    return values.argsort(descending=metric in LARGER_IS_BETTER, stable=True), values
