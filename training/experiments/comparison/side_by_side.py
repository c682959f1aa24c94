"""Several runs on the same pictures: their figures, paired, and grids with a column a run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from PIL import Image
from torch import Tensor

from models.geometry import hide, hole_mask, to_float, to_uint8
from training.common.console import print_stderr
from training.common.errors import RunError
from training.evaluation.dataset import EvaluationSet
from training.evaluation.table import markdown_table
from training.experiments.comparison.filling import filler
from training.experiments.comparison.measuring import FIGURES, Extract, Measured, measure
from training.experiments.output import span
from training.metrics.kid import KID_MIN_IMAGES
from training.reporting.image_grid import picture_grid
from training.runs.load_run import LoadedRun

Draws = Annotated[int, typer.Option(min=2, help="Fills a picture, to see how they differ.")]
Rows = Annotated[int, typer.Option(min=1, help="Rows of every grid.")]


def by_name(runs: Iterable[LoadedRun]) -> dict[str, LoadedRun]:
    """Return runs by what they are called.

    Raises:
        RunError: two have the same name, or are the same.
    """
    named: dict[str, LoadedRun] = {}
    for run in runs:
        if run.name in named:
            raise RunError(f"two runs are called {run.name}: give folders of different names")
        named[run.name] = run
    return named


def measure_all(
    runs: Mapping[str, LoadedRun], pictures: EvaluationSet, extract: Extract, draws: int, seed: int
) -> dict[str, Measured]:
    """Measure every run on the same pictures with noise of the same seeds.

    Raises:
        RunError: too few pictures for KID.
    """
    if len(pictures) < KID_MIN_IMAGES:
        raise RunError(f"{len(pictures)} pictures are too few: KID needs {KID_MIN_IMAGES}")
    reals = extract(pictures.pixels)
    found = {}
    for name, run in runs.items():
        print_stderr(f"{name}: {draws} fills for each of {len(pictures)} pictures")
        found[name] = measure(filler(run), pictures, extract, reals, draws, seed)
    return found


def side_by_side(measured: Mapping[str, Measured], seed: int) -> dict[str, Any]:
    """Return each run's figures, and their paired differences to the first run's."""
    first = next(iter(measured))
    return {
        "figures": {name: one.summary(seed) for name, one in measured.items()},
        "against": first,
        "differences": {
            name: one.against(measured[first], seed)
            for name, one in measured.items()
            if name != first
        },
    }


def figures_table(told: Mapping[str, Any]) -> str:
    """Return what `side_by_side` found as two Markdown tables, one row a run."""
    marks = {True: " ↑", False: " ↓", None: " (1 = real)"}
    headings = ["run", *(f"{name}{marks[more]}" for name, more in FIGURES.items()), "KID ×10³ ↓"]
    rows = [
        [name, *(span(of[f], 3) for f in FIGURES), kid_cell(of["kid"])]
        for name, of in told["figures"].items()
    ]
    parts = [markdown_table(headings, rows)]
    if told["differences"]:
        rows = [
            [name, *(span(of[f], 3) for f in FIGURES)] for name, of in told["differences"].items()
        ]
        parts.append(f"Differences to {told['against']}, paired by picture:")
        parts.append(markdown_table(headings[:-1], rows))
    return "\n\n".join(parts)


def kid_cell(kid: Mapping[str, float]) -> str:
    """Return KID's mean and standard deviation over the subsets, times 1000."""
    return f"{1000 * kid['mean']:.2f} ± {1000 * kid['spread']:.2f}"


def fills_grid(
    pictures: EvaluationSet, fills: Mapping[str, Tensor], rows: Sequence[int], labels: Sequence[str]
) -> Image.Image:
    """Show some pictures: context, every run's composite, real.

    Args:
        pictures: N of them.
        fills: run -> uint8 `(N, 3, 32, 32)`.
        rows: which to show, in this order; those beyond N are passed over.
        labels: N texts.
    """
    shown = [row for row in rows if row < len(pictures)]
    columns = {
        "context": to_uint8(hide(to_float(pictures.pixels), hole_mask())),
        **{name: pictures.composites(made) for name, made in fills.items()},
        "real": pictures.pixels,
    }
    kept = {name: column[shown] for name, column in columns.items()}
    return picture_grid(kept, [labels[row] for row in shown])
