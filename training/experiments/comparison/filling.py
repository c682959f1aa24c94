"""What inpainting runs make of the same pictures, captions and seeds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor

from models.geometry import centre, hole_mask, to_float
from training.common.errors import RunError
from training.data.batches import Batch
from training.data.manifest import Manifest
from training.data.memory_dataset import PreparedSplit, load_split
from training.inference.generate import generate
from training.runs.best_checkpoint import BEST
from training.runs.load_run import NEWEST, LoadedRun, load_run, moved_to
from training.runs.run_dir import RunDir
from training.runs.train_state import memory_format

Which = Annotated[
    str, typer.Option(help="Checkpoint: newest, best, or the step of a snapshot of the generator.")
]

Filler = Callable[[Tensor, Tensor, int], Tensor]
"""Pictures uint8 `(N, 3, 64, 64)`, caption vectors `(N, D)` and a seed to fills, uint8
`(N, 3, 32, 32)`; the noise of row *i* depends on the seed and *i* alone."""


def load_filling(folder: Path, which: str, *data: Path | None) -> LoadedRun:
    """Load a run that fills holes; of an older version, its data may have moved to `data`.

    Raises:
        RunError: no run or checkpoint there, or one that makes whole pictures.
    """
    if which not in (NEWEST, BEST) and not which.isdecimal():
        raise RunError(f"--which {which}: it is {NEWEST}, {BEST}, or a step")
    recipe = RunDir.open(folder).recipe
    if recipe.picture.hole == "all":
        raise RunError(f"{folder}: {recipe.name} makes whole pictures and fills no hole")
    return load_run(folder, int(which) if which.isdecimal() else which, moved_to(*data))


def filler(run: LoadedRun) -> Filler:
    """Return what fills holes with a run's generator."""
    layout = memory_format(run.recipe.engine)

    def fill(pixels: Tensor, vectors: Tensor, seed: int) -> Tensor:
        batch = Batch(to_float(pixels), hole_mask(len(pixels)), vectors)
        return centre(generate(run.generator, batch, run.noise(len(pixels), seed), layout))

    return fill


def data_folder(runs: Sequence[LoadedRun], data: Path | None) -> Path:
    """Return where to take pictures from: the first data of the first run by default."""
    return data or runs[0].run.first_data_folder()


def load_shared(runs: Sequence[LoadedRun], folder: Path, split: str | None) -> PreparedSplit:
    """Load a split, the held-out one by default, whose captions all runs can read.

    Raises:
        RunError: the runs' captions were not all embedded by one encoder.
        PreparedDataError: no such split, or embedded by another encoder than the runs' captions.
    """
    encoders = {run.run.any_data_record().encoder_fingerprint for run in runs}
    if len(encoders) > 1:
        raise RunError("the runs were trained with different sentence encoders")
    split = split or Manifest.load(folder).held_out
    return load_split(folder, split, encoder_fingerprint=encoders.pop())
