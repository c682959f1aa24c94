"""Compares runs of any systems: cost, KID, diversity, M or Wasserstein estimate, PSNR."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from models.geometry import hide, to_float, to_uint8
from training.common.console import stage_progress
from training.common.image_grid import picture_grid
from training.config.image_spec import INPAINT_SPEC
from training.evaluation.metrics.mobilenet import require_extractor
from training.evaluation.run_quality import Generated, definitions, generate_for, measure
from training.experiments.comparison.columns import Column, markdown_rows
from training.experiments.comparison.runs import Comparison, Request
from training.runs.cost import DEFINITIONS, run_cost
from training.runs.load_run import LoadedRun, load_run, moved_to
from training.runs.metric_logger import read_log

SHOWN = 12
TILE = 64
COLUMNS = (
    Column("run", "run"),
    Column("recipe", "recipe"),
    Column("steps", "steps"),
    Column("images_seen", "images seen"),
    Column("minutes", "minutes", 1),
    Column("images_per_second", "images/s", 1),
    Column("kid", "KID ×10³ ↓"),
    Column("diversity", "diversity (1 = real)"),
    Column("M", "M ↓", 4),
    Column("wasserstein", "Wasserstein estimate", 4),
    Column("hole_psnr", "hole-PSNR, dB ↑"),
)


def compare_systems(request: Request) -> Comparison:
    """Compare runs of any systems by cost and quality, with some of their pictures."""
    runs = [load_run(folder, data=moved_to(*request.data)) for folder in request.folders]
    extractor, seed = require_extractor(), request.seed
    rows: list[dict[str, Any]] = []
    images: list[Generated] = []
    with stage_progress() as progress:
        for run in runs:
            batch = run.batch(run.held_out(request.folder, request.split), request.count, seed)
            images.append(generate_for(run, run.generator, batch, seed))
            about = {"run": run.name, "recipe": run.recipe.name, "whole": run.unconditional}
            cost = run_cost(run.run, read_log(run.run.folder))
            rows.append(about | cost | measure(images[-1], seed, extractor))
            progress("runs", len(rows), len(runs))
    defined = dict(DEFINITIONS)
    for whole in sorted({one.whole for one in images}, reverse=True):
        defined |= definitions(whole=whole)
    results = {"rows": rows, "definitions": defined}
    return Comparison(runs, results, quality_tables(rows), gallery(runs, images))


def quality_tables(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table for each kind of system.

    A composite is real in three quarters of its pixels, so its KID cannot be compared with that of
    whole pictures.
    """
    titles = {True: "Whole pictures of noise", False: "Filled holes"}
    groups = {title: [row for row in rows if row["whole"] is w] for w, title in titles.items()}
    return "\n".join(
        f"**{title}**\n\n{markdown_rows(COLUMNS, group)}\n"
        for title, group in groups.items()
        if group
    ).rstrip("\n")


def gallery(runs: list[LoadedRun], images: list[Generated]) -> Image.Image:
    """Draw the first pictures of every run, unpicked, a row each, with the real ones."""
    rows: dict[str, Tensor] = {}
    for whole in (True, False):
        group = [(run.name, m) for run, m in zip(runs, images, strict=True) if m.whole is whole]
        if not group:
            continue
        reals = group[0][1].reals[:SHOWN]
        if not whole:
            rows["the context"] = to_uint8(hide(to_float(reals), INPAINT_SPEC.mask(len(reals))))
        rows |= {name: generated.pictures for name, generated in group}
        rows[f"real, {'whole' if whole else 'held out'}"] = reals
    tiles = torch.stack([interpolate(one[:SHOWN], TILE) for one in rows.values()])
    columns = {str(i + 1): tiles[:, i] for i in range(tiles.shape[1])}
    return picture_grid(columns, list(rows), scale=1)
