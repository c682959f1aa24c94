"""Measures a run on held-out images now and then, and keeps its best checkpoint."""

from collections.abc import Callable, Sequence
from functools import cached_property

from models.geometry import to_uint8
from models.runtime.sampling import seeded_noise
from training.common.console import print_stderr
from training.data.batches import ImageDataset, fixed_batch
from training.data.sampling import mix_seed
from training.inference.generate import generate
from training.losses.objectives.base import Metrics
from training.metrics.mobilenet import PACKAGE, FeatureExtractor, load_extractor, weights_path
from training.runs.best_checkpoint import BestRecord, save_best
from training.runs.train_state import TrainState, memory_format, noise_dim, pick_device
from training.trainer.callbacks import Callback
from training.trainer.checkpointer import Checkpointer
from training.trainer.validation import validation_metrics

BEST_STATE = "best"  # key of the record in a checkpoint
# Random stream of the measured images and their noise; samples and monitors have others.
VALIDATION_STREAM = 4


class BestCheckpointCallback(Callback):
    """Measures every `keep.every` steps, on rank 0; it changes nothing of what the run computes.

    Args:
        checkpointer: of the run that is measured; saves the checkpoint that becomes the best.
        record: the best so far.
        held_out: images that are not trained on.
        log: takes the step and its metrics, as `validation/…`.
    """

    def __init__(
        self,
        checkpointer: Checkpointer,
        record: BestRecord,
        held_out: Sequence[ImageDataset],
        log: Callable[[int, Metrics], None],
    ) -> None:
        self.checkpointer, self.record, self.log = checkpointer, record, log
        self.run = run = checkpointer.run
        self.every, count = run.recipe.keep.every, run.recipe.keep.pictures
        self.device = pick_device(run.recipe.engine)
        if not self.every:
            return
        seed = mix_seed(run.recipe.run.seed, VALIDATION_STREAM)
        self.batch = fixed_batch(held_out, run.recipe.picture, seed, count)
        seeds = [mix_seed(seed, row) for row in range(len(self.batch.images))]
        self.noise = seeded_noise(seeds, noise_dim(checkpointer.state.generator))
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
        return load_extractor(str(self.device))
