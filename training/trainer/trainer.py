"""The training loop of all systems: it reduces losses, steps the optimizers and calls callbacks."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from training.common import distributed
from training.common.errors import NonFiniteError, RunError
from training.data.loader import Loader
from training.data.sampling import mix_seed
from training.losses.objectives.base import DiscriminatorInput, Metrics, Terms
from training.monitors.base import Finding
from training.monitors.monitor_set import MonitorSet
from training.optim.precision import autocast
from training.runs.checkpoints.train_state import memory_format, pick_device
from training.trainer.callbacks import Callback, RollBackError, dropout_at
from training.trainer.checkpointer import Checkpointer
from training.trainer.nonfinite import explain
from training.trainer.signals import defer_signals

TIME_STATE = "worked"  # key of the training time in a checkpoint
# Random stream of noise and dropout; batches, samples and monitors have others.
STEP_STREAM = 1


class Trainer:
    """Trains a run from its current step to the last.

    A step depends on the train state, the seed, the number of the step and the number of roll-backs
    alone: batch, noise and dropout are sampled from generators seeded with these. A resumed run
    therefore continues exactly as an uninterrupted one.

    Where several processes train together, each has its rows of every batch and all come to the
    same weights; rank 0 alone writes.

    The callbacks are called in their order, see `Callback`.
    """

    def __init__(
        self,
        checkpointer: Checkpointer,
        loader: Loader,
        timer: "StepTimer",
        monitor_set: MonitorSet,
        callbacks: Sequence[Callback],
    ) -> None:
        self.checkpointer, self.run, self.state = checkpointer, checkpointer.run, checkpointer.state
        self.loader, self.timer = loader, timer
        self.monitor_set, self.callbacks = monitor_set, callbacks
        self.recipe = self.run.recipe
        self.device = pick_device(self.recipe.engine)
        self.layout = memory_format(self.recipe.engine)
        self.autocast = autocast(self.recipe.engine.precision, self.device.type)
        self.step = 0

    def train(self) -> None:
        """Train to the recipe's last step.

        Raises:
            RunError: a monitor stopped the run; a checkpoint is written.
            KeyboardInterrupt: SIGINT or SIGTERM; the step was finished and a checkpoint written.
            NonFiniteError: a term is NaN or infinite and no weight was changed by it, or a weight
                is and no checkpoint was written; the message says what to try.
        """
        try:
            for callback in self.callbacks:
                callback.on_train_start(self.step, self.state)
            with defer_signals() as interrupted:
                while not self.is_over():
                    self.do_step()
                    if distributed.any_rank(interrupted()):
                        self.checkpointer.save(self.step)
                        raise KeyboardInterrupt
        except NonFiniteError as error:
            raise explain(self.run, self.state, self.step, error) from error
        finally:
            for callback in self.callbacks:
                callback.on_train_end()
            self.loader.close()

    def is_over(self) -> bool:
        """Return whether all steps are done, or `run.minutes` have passed on any rank."""
        if self.step >= self.recipe.run.steps:
            return True
        minutes = self.recipe.run.minutes
        return minutes > 0 and distributed.any_rank(self.timer.seconds >= 60 * minutes)

    def do_step(self) -> None:
        """Do the next step with its callbacks, or go back where a monitor asks for that."""
        with self.timer.step():
            metrics = self.train_step(self.step)
        self.step += 1
        metrics |= self.timer.metrics()
        last = self.is_over()
        try:
            for callback in self.callbacks:
                callback.on_step_end(self.step, self.state, metrics, last=last)
        except RollBackError as request:
            self.roll_back(request.finding)

    def roll_back(self, finding: Finding) -> None:
        """Continue from the newest checkpoint before a problem began.

        Raises:
            RunError: there is none.
        """
        try:
            self.step, saved = self.checkpointer.roll_back(finding.since)
        except RunError as error:
            raise RunError(f"{finding}; {error}") from error
        for callback in self.callbacks:
            callback.on_roll_back(self.step, saved)

    def train_step(self, step: int) -> Metrics:
        """Update the discriminator `critic_steps` times, then the generator once.

        Goodfellow et al. 2014, Algorithm 1, in the form of Arjovsky et al. 2017, Algorithm 1.

        Returns:
            The mean of each term, as `discriminator/…` and `generator/…`, and the objective's
            state, as `state/…`.
        """
        state, objective = self.state, self.state.objective
        generator, discriminator = state.generator, state.discriminator
        torch.manual_seed(self.seed_at(step))
        for callback in self.callbacks:
            callback.on_step_start(step, state)
        metrics: Metrics = {}
        critic_steps = self.recipe.optimizers.critic_steps
        for critic_step in range(critic_steps):
            batch = self.load_batch(step * critic_steps + critic_step)
            # The last fills serve both networks, so they alone keep the generator's graph.
            with self.autocast, torch.set_grad_enabled(critic_step == critic_steps - 1):
                real, fake = objective.generate(generator, discriminator, batch)
            with self.autocast:
                terms = objective.discriminator_terms(discriminator, real, fake.detach())
            metrics |= update(state.discriminator_optimizer, "discriminator", terms, step)
            objective.after_discriminator_step(discriminator)
        with self.autocast, frozen(discriminator):
            terms = objective.generator_terms(discriminator, real, fake)
            metrics |= update(state.generator_optimizer, "generator", terms, step)
        metrics |= {f"state/{k}": value for k, value in objective.after_step(metrics).items()}
        for callback in self.callbacks:
            callback.on_update_end(step, state, metrics)
        return metrics

    def load_batch(self, index: int) -> DiscriminatorInput:
        """Return this rank's rows of a batch, on the recipe's device."""
        with self.timer.loading():
            return DiscriminatorInput(*self.loader.batch(index).to(self.device, self.layout))

    def seed_at(self, step: int) -> int:
        """Return a step's seed; after a roll-back it differs, or the same problem would return."""
        seed = mix_seed(self.recipe.run.seed, STEP_STREAM)
        rollbacks = self.monitor_set.rollbacks
        seed = mix_seed(mix_seed(seed, rollbacks) if rollbacks else seed, step)
        # Networks sample dropout for the rows they have: it must not be the same on every rank.
        rank = distributed.rank() if dropout_at(self.recipe, step) else 0
        return mix_seed(seed, rank) if rank else seed


def update(optimizer: torch.optim.Optimizer, network: str, terms: Terms, step: int) -> Metrics:
    """Reduce the terms over rows and ranks, and step; no terms, no step.

    Raises:
        NonFiniteError: a term is not finite; names it and the step, and the weights are as before.
    """
    if not terms:
        return {}
    means = {name: term.float().mean() for name, term in terms.items()}
    metrics = distributed.mean_over_ranks(
        {f"{network}/{name}": float(mean.detach()) for name, mean in means.items()}
    )
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise NonFiniteError(f"term {name} is {value} at step {step}: stopped before stepping")
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(torch.stack(list(means.values())).sum())
    distributed.average_gradients(p for group in optimizer.param_groups for p in group["params"])
    optimizer.step()
    return metrics


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Keep gradients out of a network's weights while they pass through it."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


class StepTimer:
    """Measures the steps of a training, without what callbacks do between them."""

    def __init__(self, device: torch.device, images_per_step: int) -> None:
        self.device, self.images = device, images_per_step
        self.seconds = self.wall = self.loading_seconds = 0.0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Measure one step."""
        self.loading_seconds = 0.0
        start, wall = work_clock(self.device), time.perf_counter()
        yield
        self.wall = time.perf_counter() - wall
        self.seconds += work_clock(self.device) - start

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Measure, within a step, how long it waits for a batch."""
        start = time.perf_counter()
        yield
        self.loading_seconds += time.perf_counter() - start

    def metrics(self) -> Metrics:
        """Return speed and loader share of the last step, and the minutes of all."""
        speed = {
            "time/images_per_second": self.images / self.wall,
            "time/loader_share": self.loading_seconds / self.wall,
        }
        return {**distributed.mean_over_ranks(speed), "time/minutes": self.seconds / 60}

    def state_dict(self) -> float:
        """Return the seconds of training so far."""
        return self.seconds

    def load_state_dict(self, seconds: float) -> None:
        """Continue from so many seconds."""
        self.seconds = seconds


def work_clock(device: torch.device) -> float:
    """Return a reading in seconds; only differences have a meaning.

    On a CPU it is processor time divided by torch's threads, which does not depend on the load of
    the machine. On other devices it is wall time.
    """
    if device.type == "cpu":
        return time.process_time() / torch.get_num_threads()
    return time.perf_counter()
