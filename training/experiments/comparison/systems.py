"""All systems in one table: what each run cost, what its pictures are worth, and some of them."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor

from models.geometry import hide, to_float, to_uint8
from training.common.console import stage_progress
from training.common.output_files import write_atomically
from training.config.image_spec import INPAINT_SPEC
from training.evaluation.run_quality import Generated, definitions, generate_for, measure
from training.experiments.registry import Count, Data, Out, Runs, Seed, Split, experiment, leave
from training.metrics.mobilenet import require_extractor
from training.reporting.image_grid import picture_grid
from training.runs.cost import DEFINITIONS, run_cost
from training.runs.load_run import LoadedRun, load_run, moved_to
from training.runs.metric_logger import read_log

SHOWN = 12
TILE = 64
COLUMNS = {
    "run": "run",
    "recipe": "recipe",
    "steps": "steps",
    "images_seen": "images seen",
    "minutes": "minutes",
    "images_per_second": "images/s",
    "kid": "KID ×10³ ↓",
    "diversity": "diversity (1 = real)",
    "M": "M ↓",
    "wasserstein": "Wasserstein estimate",
    "hole_psnr": "hole-PSNR, dB ↑",
}


@experiment("systems")
def systems(
    runs: Runs,
    out: Out,
    data: Data = None,
    split: Split = None,
    count: Count = 1000,
    seed: Seed = 0,
) -> None:
    """Compare runs of any systems: cost, KID, diversity, M or Wasserstein estimate, PSNR, pictures.

    Systems that make whole pictures and systems that fill holes get a table each: a composite is
    real in three quarters of its pixels, so their KIDs have nothing to say to each other.
    """
    extractor = require_extractor()
    loaded = [load_run(place, data=moved_to(data)) for place in runs]
    rows: list[dict[str, Any]] = []
    made: list[Generated] = []
    with stage_progress() as progress:
        for one in loaded:
            batch = one.batch(one.held_out(data, split), count, seed)
            made.append(generate_for(one, one.generator, batch, seed))
            rows.append(row(one, measure(made[-1], seed, extractor)))
            progress("runs", len(rows), len(loaded))
    kinds = [whole for whole in (True, False) if any(m.whole is whole for m in made)]
    named = {name: text for whole in kinds for name, text in definitions(whole=whole).items()}
    results = {"rows": rows, "definitions": DEFINITIONS | named}
    leave(out, "systems", loaded, results, gallery(loaded, made))
    write_atomically(out.with_suffix(".md"), markdown(rows))


def row(one: LoadedRun, found: dict[str, Any]) -> dict[str, Any]:
    """Return a run's row: what it is, what it cost, what it says of itself, and what was found."""
    named = {"run": one.name, "recipe": one.recipe.name, "whole": one.unconditional}
    return named | run_cost(one.run, read_log(one.run.folder)) | found


def gallery(loaded: list[LoadedRun], made: list[Generated]) -> Image.Image:
    """Lay out the first pictures of every run, a row each, beside what is real; none is picked."""
    rows: dict[str, Tensor] = {}
    for whole in (True, False):
        group = [(run.name, m) for run, m in zip(loaded, made, strict=True) if m.whole is whole]
        if group and not whole:
            rows["the context"] = context(group[0][1])
        rows |= {name: m.pictures for name, m in group}
        if group:
            rows[f"real, {'whole' if whole else 'held out'}"] = group[0][1].reals
    tiles = torch.stack([enlarged(pictures[:SHOWN]) for pictures in rows.values()])
    columns = {str(i + 1): tiles[:, i] for i in range(tiles.shape[1])}
    return picture_grid(columns, list(rows), scale=1)


def context(made: Generated) -> Tensor:
    """Return what the inpainting systems were shown."""
    reals = made.reals[:SHOWN]
    return to_uint8(hide(to_float(reals), INPAINT_SPEC.mask(len(reals))))


def enlarged(pictures: Tensor) -> Tensor:
    """Return pictures of any system at 64×64, each pixel a block."""
    times = TILE // pictures.shape[-1]
    return pictures.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)


def markdown(rows: list[dict[str, Any]]) -> str:
    """Write a table for either kind of system; a column that none fills is left out."""
    tables = []
    for whole, title in ((True, "Whole pictures of noise"), (False, "Filled holes")):
        group = [row for row in rows if row["whole"] is whole]
        if group:
            names = [name for name in COLUMNS if any(name in row for row in group)]
            lines = [[COLUMNS[name] for name in names], ["---"] * len(names)]
            lines += [[cell(name, row.get(name)) for name in names] for row in group]
            body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
            tables.append(f"**{title}**\n\n{body}\n")
    return "\n".join(tables)


def cell(name: str, value: Any) -> str:
    """Write one figure for people."""
    match value:
        case None:
            return "–"
        case {"mean": mean, "spread": spread}:
            return f"{1000 * mean:.1f} ± {1000 * spread:.1f}"
        case {"mean": mean, "low": low, "high": high}:
            return f"{mean:.2f} [{low:.2f}, {high:.2f}]"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4f}" if name in {"M", "wasserstein"} else f"{value:.1f}"
    return str(value)
