"""Measures a run on held-out images now and then, and keeps its best checkpoint."""

from collections.abc import Callable, Sequence
from functools import cached_property

from torch import Tensor

from models.geometry import SIZE, centre, to_uint8
from training.common.console import print_stderr
from training.data.batches import ImageDataset, fixed_batch
from training.data.sampling import mix_seed
from training.evaluation.metrics.image_metrics import ExtractFeatures, ImageMetrics
from training.evaluation.metrics.mobilenet import (
    PACKAGE,
    FeatureExtractor,
    load_extractor,
    weights_path,
)
from training.losses.objectives.base import Metrics
from training.runs.checkpoints.best_checkpoint import BestRecord, save_best
from training.runs.checkpoints.train_state import TrainState, memory_format, pick_device, row_noise
from training.runs.generate import generate
from training.trainer.callbacks import Callback
from training.trainer.checkpointer import Checkpointer

BEST_STATE = "best"  # key of the record in a checkpoint
# Random stream of the measured images and their noise; samples and monitors have others.
VALIDATION_STREAM = 4


class BestCheckpointCallback(Callback):
    """Measures every `keep.every` steps, on rank 0; it changes nothing of what the run computes.

    The metrics go to `log`, as `validation/…`.
    """

    def __init__(
        self,
        checkpointer: Checkpointer,
        record: BestRecord,
        held_out: Sequence[ImageDataset],
        log: Callable[[int, Metrics], None],
    ) -> None:
        self.checkpointer, self.record, self.log = checkpointer, record, log
        self.run, recipe = checkpointer.run, checkpointer.run.recipe
        self.every = recipe.keep.every
        if not self.every:
            return
        seed = mix_seed(recipe.run.seed, VALIDATION_STREAM)
        self.batch = fixed_batch(held_out, recipe.picture, seed, recipe.keep.pictures)
        self.noise = row_noise(checkpointer.state.generator, len(self.batch.images), seed)
        if weights_path() is None and record.metric == "kid":
            print_stderr(f"no best checkpoint is kept: KID needs {PACKAGE} (or --set keep.every=0)")
            self.every = 0

    def on_step_end(self, step: int, state: TrainState, metrics: Metrics, *, last: bool) -> None:
        """Measure where it is due; copy a checkpoint of the best step to `checkpoints/best`."""
        if not self.every or step % self.every:
            return
        measured = self.measure(state)
        self.log(step, {f"validation/{name}": value for name, value in measured.items()})
        if self.record.update(step, measured):
            self.checkpointer.save(step)
            save_best(self.run.checkpoints, self.record)

    def measure(self, state: TrainState) -> Metrics:
        """Return the metrics of the generator for inference, by name."""
        layout = memory_format(self.run.recipe.engine)
        images = generate(state.inference_generator, self.batch, self.noise, layout)
        return validation_metrics(images, to_uint8(self.batch.images), self.extractor)

    @cached_property
    def extractor(self) -> FeatureExtractor | None:
        """The features of KID, loaded when they are first needed."""
        return load_extractor(str(pick_device(self.run.recipe.engine)))


def validation_metrics(
    images: Tensor, reals: Tensor, extractor: ExtractFeatures | None
) -> dict[str, float]:
    """Measure generated images against the real ones.

    Args:
        images: uint8 `(N, 3, S, S)`: composites, or whole images of an unconditional system.
        reals: uint8 `(N, 3, S, S)`; row *i* is the image that composite *i* was made of.
        extractor: of features; KID is left out without.

    Returns:
        `kid`, and `hole_psnr` in dB where the two agree outside the hole and so are composites.
    """
    metrics = ImageMetrics.extract(images, reals, extractor)
    found = {"kid": metrics.kid.mean} if metrics.kid else {}
    if are_composites(images, reals):
        found["hole_psnr"] = float(metrics.hole_psnr.mean())
    return found


def are_composites(images: Tensor, reals: Tensor) -> bool:
    """Return whether the images equal the real ones outside the hole."""
    if images.shape[-1] != SIZE:
        return False
    return bool((images != reals).sum() == (centre(images) != centre(reals)).sum())
