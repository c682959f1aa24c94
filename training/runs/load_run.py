"""Loads a run's networks at one of its checkpoints, for inference."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from training.common.errors import RunError
from training.config.config import Config
from training.data.batches import Batch, fixed_batch
from training.data.manifest import Manifest
from training.data.memory_dataset import PreparedSplit, load_split
from training.runs.checkpoints.best_checkpoint import BEST
from training.runs.checkpoints.checkpoint import load_checkpoint, read_checkpoint
from training.runs.checkpoints.snapshots import load_snapshot, snapshots
from training.runs.checkpoints.train_state import (
    TrainState,
    available_device,
    build_train_state,
    row_noise,
)
from training.runs.run_dir import RunDir

NEWEST = "newest"


@dataclass(frozen=True)
class LoadedRun:
    """A run's state at one of its checkpoints.

    Attributes:
        run: the run directory.
        step: steps done.
        state: both networks in evaluation mode on the recipe's device, or on the CPU where that
            is not there.
    """

    run: RunDir
    step: int
    state: TrainState

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.run.folder.resolve().name

    @property
    def recipe(self) -> Config:
        """The recipe, with later changes."""
        return self.run.recipe

    @property
    def generator(self) -> nn.Module:
        """The generator to sample from: the moving average where there is one."""
        return self.state.inference_generator

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator, critic or autoencoder."""
        return self.state.discriminator

    @property
    def unconditional(self) -> bool:
        """Whether it generates whole images from noise."""
        return self.recipe.picture.hole == "all"

    @property
    def encoder_fingerprint(self) -> str | None:
        """Fingerprint of the sentence encoder; None where it reads no captions."""
        return None if self.unconditional else self.run.any_data_record().encoder_fingerprint

    def noise(self, count: int, seed: int = 0) -> Tensor:
        """Sample noise `(count, noise_dim)`; row *i* depends on the seed and *i* alone."""
        return row_noise(self.generator, count, seed)

    def held_out(self, data: Path | None = None, split: str | None = None) -> PreparedSplit:
        """Load images that the run was not trained on.

        Args:
            data: a prepared folder; the run's own first one by default.
            split: of it; the one to choose models on by default.

        Raises:
            PreparedDataError: the folder or split is not there, the run's own data were prepared
                anew, or the captions are of another sentence encoder than the run's.
        """
        folder = data or self.run.first_data_folder()
        split = split or Manifest.load(folder).validation_split
        return load_split(folder, split, encoder_fingerprint=self.encoder_fingerprint)

    def batch(self, pictures: PreparedSplit, count: int, seed: int = 0) -> Batch:
        """Sample `count` different images, each with its first caption."""
        return fixed_batch([pictures], self.recipe.picture, seed, count)


def moved_to(*data: Path | None) -> tuple[Path, ...]:
    """Return what `load_run` takes, of options that may be left away."""
    return tuple(place for place in data if place is not None)


def load_run(folder: Path, which: str | int = NEWEST, data: Sequence[Path] = ()) -> LoadedRun:
    """Load a run's state; nothing is written into the run directory.

    Args:
        folder: the run directory.
        which: `newest` or `best` checkpoint, or the step of a snapshot; of a snapshot the
            generator alone is that old, the rest is of the newest checkpoint.
        data: prepared folders where a run's data may have moved to; runs of this version have
            recorded what is needed of it.

    Raises:
        RunError: no run there, or it has no such checkpoint or snapshot.
        PreparedDataError: a run of an earlier version whose data, which say how long a caption
            is, are gone.
    """
    run = RunDir.open(folder).with_data_found_in(data)
    caption_dim = run.any_data_record().caption_dim
    state = build_train_state(run.recipe, caption_dim, available_device(run.recipe.engine))
    if which == BEST:
        step, saved = read_checkpoint(run.checkpoints / BEST)
    else:
        step, saved = load_checkpoint(run.checkpoints)
    state.load_state_dict(saved)
    if isinstance(which, int):
        found = snapshots(folder)
        if which not in found:
            raise RunError(f"{folder}: no snapshot of step {which}; there are {[*found]}")
        step = which
        load_snapshot(found[which], state.inference_generator)
    for network in (state.inference_generator, state.discriminator):
        network.eval().requires_grad_(False)
    return LoadedRun(run, step, state)
