"""The interface of callbacks, and the small ones: schedules, log, samples and checkpoints."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from models.generators import began
from training.config.config import Config
from training.inference.sample_grid import SampleGridWriter
from training.losses.objectives.base import Metrics
from training.monitors.base import Finding
from training.runs.checkpoints.snapshots import save_snapshot
from training.runs.checkpoints.train_state import TrainState
from training.runs.metric_logger import MetricLogger
from training.runs.run_dir import RunDir
from training.trainer.checkpointer import Checkpointer

OnStep = Callable[[int, Metrics], None]


class RollBackError(Exception):
    """A monitor asks for a roll-back; `Trainer.do_step` carries it out."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class Callback:
    """Hooks of the training loop; by default each does nothing.

    The `Trainer` calls the callbacks in the order of its list. `training.trainer.build` makes
    the list:

    1. schedules: dropout, residual fade, moving average, learning rates;
    2. progress and metric log;
    3. monitors, before anything is written of a step that may have to be rolled back;
    4. sample grids, snapshots, best checkpoint;
    5. the periodic checkpoint, which holds the state of all of them.

    For each step, all callbacks get `on_step_start`, then `on_update_end`, then `on_step_end`.
    """

    def on_train_start(self, step: int, state: TrainState) -> None:
        """Prepare to train from `step` on."""

    def on_step_start(self, step: int, state: TrainState) -> None:
        """Set what depends on the number of the step, from 0, before its batch is loaded."""

    def on_update_end(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Do what belongs to the update of the weights, after both networks have stepped.

        Its time counts as training time. A callback may add to the metrics.
        """

    def on_step_end(self, step: int, state: TrainState, metrics: Metrics, *, last: bool) -> None:
        """Log, measure or save the step; `step` is the number of steps done, from 1.

        Raises:
            RollBackError: the run must go back to an earlier checkpoint; the callbacks after this
                one do not see the step.
        """

    def on_roll_back(self, step: int, saved: Mapping[str, Any]) -> None:
        """Continue from a checkpoint with so many steps done, and this content."""

    def on_train_end(self) -> None:
        """Release files; called after errors as well."""


class DropoutSchedule(Callback):
    """Sets the dropout of the generator."""

    def __init__(self, recipe: Config, generator: nn.Module) -> None:
        self.recipe = recipe
        kinds = (nn.Dropout, nn.Dropout2d)
        self.layers = [layer for layer in generator.modules() if isinstance(layer, kinds)]

    def on_step_start(self, step: int, state: TrainState) -> None:
        """Set the probability of this step."""
        for layer in self.layers:
            layer.p = dropout_at(self.recipe, step)


def dropout_at(recipe: Config, step: int) -> float:
    """Return the dropout probability at a step: 0 before `dropout.start` of the run."""
    dropout = recipe.dropout
    return dropout.probability if step >= dropout.start * recipe.run.steps else 0.0


class ResidualFade(Callback):
    """Sets how much of BEGAN's fading residuals is left (Berthelot et al. 2017, §3.3)."""

    def __init__(self, steps: int, state: TrainState) -> None:
        self.steps = steps
        modules = [*state.generator.modules(), *state.discriminator.modules()]
        self.layers = [m for m in modules if isinstance(m, began.ResidualFade)]

    def on_step_start(self, step: int, state: TrainState) -> None:
        """Set α, which falls from 1 to 0 in a straight line; without a schedule it is 0."""
        alpha = max(0.0, 1 - step / self.steps) if self.steps else 0.0
        for layer in self.layers:
            layer.alpha.fill_(alpha)


class MovingAverage(Callback):
    """Updates the exponential moving average of the generator."""

    def on_update_end(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Move the average towards the generator's weights."""
        if state.average is not None:
            state.average.update_parameters(state.generator)


class PlateauSchedule(Callback):
    """Halves the learning rates when the objective's plateau metric stops falling."""

    def on_update_end(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Follow the metric, and log the generator's learning rate."""
        name = state.objective.plateau_metric
        if state.plateau is None or name is None:
            return
        optimizers = state.generator_optimizer, state.discriminator_optimizer
        if state.plateau.update(metrics[f"state/{name}"]):
            state.plateau.halve_rates(*optimizers)
        metrics["state/learning_rate"] = optimizers[0].param_groups[0]["lr"]


class Progress(Callback):
    """Passes each step's metrics to a function, such as a progress bar's."""

    def __init__(self, on_step: OnStep) -> None:
        self.on_step = on_step

    def on_step_end(self, step: int, state: TrainState, metrics: Metrics, *, last: bool) -> None:
        """Call the function."""
        self.on_step(step, metrics)


class MetricLog(Callback):
    """Writes metrics to the run's log and trackers every `run.log_every` steps."""

    def __init__(self, run: RunDir) -> None:
        self.run, self.every = run, run.recipe.run.log_every
        self.logger: MetricLogger | None = None

    def on_train_start(self, step: int, state: TrainState) -> None:
        """Open the log, without the lines after `step`."""
        self.logger = MetricLogger(self.run, step)

    def on_step_end(self, step: int, state: TrainState, metrics: Metrics, *, last: bool) -> None:
        """Write the metrics where they are due."""
        if step % self.every == 0 or last:
            self.write(step, metrics)

    def write(self, step: int, metrics: Metrics) -> None:
        """Write metrics, due or not."""
        if self.logger is not None:
            self.logger.write(step, metrics)

    def write_images(self, step: int, images: Mapping[str, Path]) -> None:
        """Send images to the trackers."""
        if self.logger is not None:
            self.logger.write_images(step, images)

    def on_roll_back(self, step: int, saved: Mapping[str, Any]) -> None:
        """Remove the lines after `step`."""
        self.on_train_end()
        self.logger = MetricLogger(self.run, step)

    def on_train_end(self) -> None:
        """Close the log."""
        if self.logger is not None:
            self.logger.close()


class SampleGrids(Callback):
    """Writes sample grids at the start, every `run.sample_every` steps and at the end.

    They go to files, and from there to the trackers of the log.
    """

    def __init__(self, writer: SampleGridWriter, every: int, log: MetricLog) -> None:
        self.writer, self.every, self.log = writer, every, log

    def on_train_start(self, step: int, state: TrainState) -> None:
        """Write the grids of the untrained generator."""
        if step == 0:
            self.write(0, state)

    def on_step_end(self, step: int, state: TrainState, metrics: Metrics, *, last: bool) -> None:
        """Write the grids where they are due."""
        if step % self.every == 0 or last:
            self.write(step, state)

    def write(self, step: int, state: TrainState) -> None:
        """Write the grids, due or not."""
        self.log.write_images(step, self.writer.write(step, state.inference_generator))


class Snapshots(Callback):
    """Saves the generator's weights every `run.snapshot_every` steps, for good."""

    def __init__(self, run: RunDir) -> None:
        self.folder, self.every = run.folder, run.recipe.run.snapshot_every

    def on_step_end(self, step: int, state: TrainState, metrics: Metrics, *, last: bool) -> None:
        """Save a snapshot where it is due."""
        if self.every and step % self.every == 0:
            save_snapshot(self.folder, step, state.inference_generator)


class PeriodicCheckpoint(Callback):
    """Saves a checkpoint every so many steps or minutes, and at the end."""

    def __init__(self, checkpointer: Checkpointer, recipe: Config) -> None:
        self.checkpointer, self.every = checkpointer, recipe.run.checkpoint_every
        self.seconds = 60 * recipe.run.checkpoint_minutes
        self.saved_at = time.monotonic()

    def on_train_start(self, step: int, state: TrainState) -> None:
        """Start the clock."""
        self.saved_at = time.monotonic()

    def on_step_end(self, step: int, state: TrainState, metrics: Metrics, *, last: bool) -> None:
        """Save a checkpoint where it is due."""
        if last or step % self.every == 0 or time.monotonic() - self.saved_at > self.seconds:
            self.checkpointer.save(step)
            self.saved_at = time.monotonic()
