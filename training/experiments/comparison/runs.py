"""The request for a comparison, the runs that it compares, and the fills of their holes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from models.geometry import centre, hide, hole_mask, to_float, to_uint8
from training.common.errors import RunError
from training.common.image_grid import picture_grid
from training.data.batches import Batch
from training.data.manifest import Manifest
from training.data.memory_dataset import PreparedSplit, load_split
from training.evaluation.dataset import EvaluationSet
from training.runs.checkpoints.best_checkpoint import BEST
from training.runs.checkpoints.train_state import memory_format
from training.runs.generate import generate
from training.runs.load_run import NEWEST, LoadedRun, load_run, moved_to
from training.runs.run_dir import RunDir

Picture = Image.Image | Figure
Which = Annotated[
    str, typer.Option(help="Checkpoint: newest, best, or the step of a snapshot of the generator.")
]

FillRun = Callable[[Tensor, Tensor, int], Tensor]
"""Pictures uint8 `(N, 3, 64, 64)`, caption vectors `(N, D)` and a seed to fills, uint8
`(N, 3, 32, 32)`; the noise of row *i* depends on the seed and *i* alone."""


class RankBy(StrEnum):
    """A metric of a single picture."""

    FEATURE_DISTANCE = "feature_distance"
    HOLE_PSNR = "hole_psnr"
    L1 = "l1"
    SSIM = "ssim"


@dataclass(frozen=True)
class Request:
    """The arguments of `compare`; no data folders stand for the runs' own."""

    folders: Sequence[Path]
    data: Sequence[Path]
    split: str | None
    count: int
    seed: int
    which: str
    draws: int
    rank_by: RankBy
    rows: int
    sort_by: str

    @property
    def folder(self) -> Path | None:
        """The first data folder."""
        return self.data[0] if self.data else None


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        runs: that were compared.
        results: JSON values.
        table: Markdown.
        picture: the main picture.
        pictures: further pictures by the name that their file ends in.
    """

    runs: Sequence[LoadedRun]
    results: Mapping[str, Any]
    table: str
    picture: Picture
    pictures: Mapping[str, Picture] = field(default_factory=dict)


def load_inpainting_run(folder: Path, which: str, *data: Path | None) -> LoadedRun:
    """Load a run that fills holes, at the checkpoint `newest`, `best`, or of a step.

    `data` are folders to which the data of a run of an older version may have moved.

    Raises:
        RunError: no run or checkpoint there, or one that makes whole pictures.
    """
    if which not in (NEWEST, BEST) and not which.isdecimal():
        raise RunError(f"--which {which}: it is {NEWEST}, {BEST}, or a step")
    recipe = RunDir.open(folder).recipe
    if recipe.picture.hole == "all":
        raise RunError(f"{folder}: {recipe.name} makes whole pictures and fills no hole")
    return load_run(folder, int(which) if which.isdecimal() else which, moved_to(*data))


def by_name(runs: Iterable[LoadedRun]) -> dict[str, LoadedRun]:
    """Return runs by name.

    Raises:
        RunError: two runs have the same name.
    """
    named: dict[str, LoadedRun] = {}
    for run in runs:
        if run.name in named:
            raise RunError(f"two runs are called {run.name}: give folders of different names")
        named[run.name] = run
    return named


def fill_function(run: LoadedRun) -> FillRun:
    """Return the function that fills holes with a run's generator."""
    layout = memory_format(run.recipe.engine)

    def fill(pixels: Tensor, vectors: Tensor, seed: int) -> Tensor:
        batch = Batch(to_float(pixels), hole_mask(len(pixels)), vectors)
        return centre(generate(run.generator, batch, run.noise(len(pixels), seed), layout))

    return fill


def data_folder(runs: Sequence[LoadedRun], data: Path | None) -> Path:
    """Return the folder to take pictures from: the first data of the first run by default."""
    return data or runs[0].run.first_data_folder()


def load_shared_split(runs: Sequence[LoadedRun], folder: Path, split: str | None) -> PreparedSplit:
    """Load a split, the held-out one by default, whose captions all runs can read.

    Raises:
        RunError: the runs' captions were not all embedded by one encoder.
        PreparedDataError: no such split, or embedded by another encoder than the runs' captions.
    """
    encoders = {run.run.any_data_record().encoder_fingerprint for run in runs}
    if len(encoders) > 1:
        raise RunError("the runs were trained with different sentence encoders")
    split = split or Manifest.load(folder).validation_split
    return load_split(folder, split, encoder_fingerprint=encoders.pop())


def fills_grid(
    pictures: EvaluationSet, fills: Mapping[str, Tensor], rows: Sequence[int], labels: Sequence[str]
) -> Image.Image:
    """Draw a grid of some pictures: context, every run's composite, real.

    Args:
        pictures: N of them.
        fills: run -> uint8 `(N, 3, 32, 32)`.
        rows: which to show, in this order; rows beyond N are left out.
        labels: N texts.
    """
    shown = [row for row in rows if row < len(pictures)]
    columns = {
        "context": to_uint8(hide(to_float(pictures.pixels), hole_mask())),
        **{name: pictures.composites(run_fills) for name, run_fills in fills.items()},
        "real": pictures.pixels,
    }
    selected = {name: column[shown] for name, column in columns.items()}
    return picture_grid(selected, [labels[row] for row in shown])
