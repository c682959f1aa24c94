"""Measures a run on held-out pictures now and then, and keeps its best checkpoint."""

from collections.abc import Sequence
from functools import cached_property

from models.geometry import to_uint8
from models.runtime.sampling import seeded_noise
from training.common.console import is_main_process, print_stderr
from training.data.batches import fixed_batch
from training.data.memory_dataset import PictureSet
from training.data.sampling import mix
from training.inference.generate import generate
from training.losses.objectives.base import Metrics
from training.metrics.mobilenet import PACKAGE, FeatureExtractor, load_extractor, weights_path
from training.runs.best_checkpoint import BestRecord, save_best
from training.runs.run_dir import RunDir
from training.runs.train_state import TrainState, memory_format, pick_device
from training.trainer.validation import validation_metrics

# The best's place in a checkpoint, beside the state's.
BEST_STATE = "best"
# Neither the pictures and noise of the sample grids nor those of the guards.
VALIDATION_STREAM = 4


class BestCheckpointCallback:
    """Measures every `keep.every` steps, on rank 0; what it does changes nothing of the run.

    Args:
        run: whose recipe says what is best.
        state: whose generator for inference is measured.
        held_out: pictures that are not trained on.
    """

    def __init__(self, run: RunDir, state: TrainState, held_out: Sequence[PictureSet]) -> None:
        self.run, self.state, self.settings = run, state, run.recipe.keep
        self.best = BestRecord(self.settings.metric)
        self.on = bool(self.settings.every) and is_main_process()
        if not self.on:
            return
        self.device = pick_device(run.recipe.engine)
        seed = mix(run.recipe.run.seed, VALIDATION_STREAM)
        self.batch = fixed_batch(held_out, run.recipe.picture, seed, self.settings.pictures)
        noise_dim = int(state.generator.settings.noise_dim)  # type: ignore[arg-type, union-attr]
        self.noise = seeded_noise([mix(seed, i) for i in range(len(self.batch.images))], noise_dim)
        if weights_path() is None and self.settings.metric == "kid":
            print_stderr(f"no best checkpoint is kept: KID needs {PACKAGE} (or --set keep.every=0)")
            self.on = False

    def due(self, step: int) -> bool:
        """Say whether this step is one to measure at."""
        return self.on and step % self.settings.every == 0

    def measure(self) -> Metrics:
        """Return what the generator is worth now, under `validation/…`."""
        layout = memory_format(self.run.recipe.engine)
        pictures = generate(self.state.inference_generator, self.batch, self.noise, layout)
        figures = validation_metrics(pictures, to_uint8(self.batch.images), self.extractor)
        return {f"validation/{name}": value for name, value in figures.items()}

    @cached_property
    def extractor(self) -> FeatureExtractor | None:
        """The features of KID, loaded when they are first needed."""
        return load_extractor(str(self.device))

    def update(self, step: int, figures: Metrics) -> bool:
        """Take figures of `measure`, and say whether this step is the best so far."""
        named = {name.removeprefix("validation/"): value for name, value in figures.items()}
        return self.best.update(step, named)

    def keep(self) -> None:
        """Copy the newest checkpoint, which must be of the best step, to `checkpoints/best`."""
        save_best(self.run.checkpoints, self.best)
