"""The training loop: the only place that reduces terms, calls backward and steps."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from models.geometry import hide, paste
from models.layers.blocks import set_dropout
from models.layers.residual_fade import set_alpha
from training.common import distributed
from training.common.console import is_main_process
from training.common.errors import NonFiniteError, RunError
from training.config.config import Config
from training.data.batches import Batch, BatchSource
from training.data.loader import Loader
from training.data.memory_dataset import PictureSet
from training.data.sampling import mix
from training.losses.objectives.base import DiscriminatorInput, Metrics, Terms
from training.monitors import Action, Finding, record_findings
from training.optim.precision import autocast
from training.runs.checkpoint import load_checkpoint, save_checkpoint, shared_checkpoint
from training.runs.metric_logger import MetricLogger, NullLogger
from training.runs.rollback import remove_affected_checkpoints
from training.runs.run_dir import RunDir
from training.runs.snapshots import save_snapshot
from training.runs.train_state import TrainState, memory_format, pick_device
from training.trainer.best_checkpoint_callback import BEST_STATE, BestCheckpointCallback
from training.trainer.monitor_callback import MONITOR_STATE, MonitorCallback
from training.trainer.nonfinite import check_weights, explain
from training.trainer.signals import defer_signals
from training.trainer.timer import work_clock

OnStep = Callable[[int, Metrics], None]
OnFinding = Callable[[Finding], None]
# Streams of randomness that must not share numbers: noise and dropout, and sample grids.
STEP_STREAM = 1
TIME_STATE = "worked"  # a checkpoint's key for the seconds that all steps so far have taken


class Trainer:
    """Trains a run from wherever it stands to its end.

    A step depends on the state' state, the seed, the step's number and how often the run was
    rolled back alone: batch, noise and dropout are drawn from generators seeded with these. So a
    resumed run needs nothing but the state and the watch over them to go on exactly as an
    uninterrupted one.

    Where several processes train together, each has its rows of every batch and all come to the
    same weights; rank 0 alone writes.
    """

    def __init__(
        self,
        run: RunDir,
        state: TrainState,
        batches: BatchSource,
        held_out: Sequence[PictureSet] | None = None,
    ) -> None:
        self.run, self.state = run, state
        self.recipe: Config = run.recipe
        self.loader = Loader(batches, self.recipe.loading.workers)
        self.device = pick_device(self.recipe.engine)
        self.step, self.worked = 0, 0.0
        self.monitors = MonitorCallback(run, state, batches)
        self.best_checkpoint = BestCheckpointCallback(run, state, held_out or batches.sets)
        # Each network sees the picture in one shape, so compiled code is specialised to it.
        if self.recipe.engine.compile:
            state.generator.compile(dynamic=False)
            state.discriminator.compile(dynamic=False)

    def resume(self) -> None:
        """Take up the newest checkpoint.

        Raises:
            RunError: there is none, or it is damaged.
        """
        self.step, saved = shared_checkpoint(lambda: load_checkpoint(self.run.checkpoints))
        self.state.load_state_dict(saved)
        self.monitors.load_state(self.step, saved)
        self.best_checkpoint.best.load_state_dict(saved.get(BEST_STATE, {}))
        self.worked = saved.get(TIME_STATE, 0.0)

    def train(
        self, on_step: OnStep, samples: Callable[[int], object], on_finding: OnFinding
    ) -> None:
        """Go on to the recipe's last step, logging, sampling and checkpointing on the way.

        Args:
            on_step: told the step and its figures after every step, for a progress bar.
            samples: asked to leave sample grids for the state as they are.
            on_finding: told what a guard found, but for what stops the run.

        Raises:
            RunError: a guard stopped the run; a checkpoint is left.
            KeyboardInterrupt: SIGINT or SIGTERM came; the step was finished and a checkpoint left.
            NonFiniteError: a term is NaN or infinite and nothing was stepped with it, or a weight
                is and no checkpoint was written; says what to try.
        """
        settings = self.recipe.run
        logger = MetricLogger(self.run.folder, self.step) if is_main_process() else NullLogger()
        saved = time.monotonic()
        if self.step == 0:
            samples(0)
        try:
            with defer_signals() as interrupted:
                last = self.is_over()
                while not last:
                    figures = self.timed_step()
                    on_step(self.step, figures)
                    last = self.is_over()
                    if self.step % settings.log_every == 0 or last:
                        logger.write(self.step, figures)
                    if self.handle(self.monitors.look(self.step, figures), on_finding):
                        logger.truncate(self.step)
                        last = self.is_over()
                        continue
                    if self.step % settings.sample_every == 0 or last:
                        samples(self.step)
                    self.keep(logger)
                    due = time.monotonic() - saved > 60 * settings.checkpoint_minutes
                    due = due or last or self.step % settings.checkpoint_every == 0
                    stopped = distributed.any_rank(interrupted())
                    if due or stopped:
                        self.save()
                        saved = time.monotonic()
                    if stopped:
                        raise KeyboardInterrupt
        except NonFiniteError as error:
            raise explain(self.run, self.state, self.step, error) from error
        finally:
            logger.close()
            self.loader.close()

    def is_over(self) -> bool:
        """Say whether all steps are done, or their time is up on any rank."""
        if self.step >= self.recipe.run.steps:
            return True
        minutes = self.recipe.run.minutes
        return minutes > 0 and distributed.any_rank(self.worked >= 60 * minutes)

    def timed_step(self) -> Metrics:
        """Do the next step, and count it and its time."""
        began = work_clock(self.device)
        figures = self.train_step(self.step)
        self.step += 1
        self.worked += work_clock(self.device) - began
        return figures | {"time/minutes": self.worked / 60}

    def save(self) -> None:
        """Write a checkpoint of the state, and of the watch over them, as they are.

        Raises:
            NonFiniteError: a weight is not finite; the checkpoints are as before.
        """
        check_weights(self.state, self.step)
        if not is_main_process():
            return
        saved = self.state.state_dict() | {
            MONITOR_STATE: self.monitors.monitor_set.state_dict(),
            BEST_STATE: self.best_checkpoint.best.state_dict(),
            TIME_STATE: self.worked,
        }
        save_checkpoint(self.run.checkpoints, self.step, saved)

    def keep(self, logger: MetricLogger | NullLogger) -> None:
        """Keep for good what this step calls for: a snapshot, the best checkpoint so far."""
        every = self.recipe.run.snapshot_every
        if is_main_process() and every and self.step % every == 0:
            save_snapshot(self.run.folder, self.step, self.state.inference_generator)
        if not self.best_checkpoint.due(self.step):
            return
        figures = self.best_checkpoint.measure()
        logger.write(self.step, figures)
        if self.best_checkpoint.update(self.step, figures):
            self.save()
            self.best_checkpoint.keep()

    def handle(self, findings: list[Finding], on_finding: OnFinding) -> bool:
        """Record what guards found and do what it asks for; return whether the run went back.

        Raises:
            RunError: the run must stop, or there is nothing to go back to.
        """
        new = record_findings(self.run.folder, findings) if is_main_process() else []
        for finding in findings:
            if finding.action is Action.STOP:
                self.save()
                raise RunError(f"{finding} (--set guards.{finding.guard}.act_after=0 only warns)")
        for finding in new:
            on_finding(finding)
        jumps = [finding for finding in findings if finding.action is Action.ROLL_BACK]
        for finding in jumps:
            self.roll_back(finding)
        return bool(jumps)

    def roll_back(self, finding: Finding) -> None:
        """Go back to the newest checkpoint that a trouble has not touched.

        Raises:
            RunError: there is none.
        """

        def last_good() -> tuple[int, dict[str, Any]]:
            remove_affected_checkpoints(
                self.run.checkpoints, finding.since, self.recipe.guards.every
            )
            return load_checkpoint(self.run.checkpoints)

        try:
            self.step, saved = shared_checkpoint(last_good)
        except RunError as error:
            raise RunError(f"{finding}; {error}") from error
        self.state.load_state_dict(saved)
        self.monitors.roll_back(self.step, saved)

    def train_step(self, step: int) -> Metrics:
        """Update the discriminator `critic_steps` times, then the generator once.

        Returns:
            Each term's mean, under `discriminator/…` and `generator/…`, what the objective says of
            itself under `state/…`, and where the time went.
        """
        began = time.perf_counter()
        state, critic_steps = self.state, self.recipe.optimizers.critic_steps
        torch.manual_seed(self.seed_at(step))
        set_dropout(state.generator, self.dropout_at(step))
        for network in (state.generator, state.discriminator):
            set_alpha(network, self.alpha_at(step))
        figures: Metrics = {}
        loading = 0.0
        for turn in range(critic_steps):
            asked = time.perf_counter()
            batch = self.loader.batch(step * critic_steps + turn).to(
                self.device, memory_format(self.recipe.engine)
            )
            loading += time.perf_counter() - asked
            last = turn == critic_steps - 1
            with self.autocast(), torch.set_grad_enabled(last):
                real, fake = state.objective.prepare(state.discriminator, *self.scenes(batch))
            # The last fill serves both state, so it alone keeps its graph.
            with self.autocast():
                terms = state.objective.discriminator_terms(
                    state.discriminator, real, fake.detach()
                )
            figures |= update(state.discriminator_optimizer, "discriminator", terms, step)
            state.objective.after_discriminator_step(state.discriminator)
        with self.autocast(), frozen(state.discriminator):
            terms = state.objective.generator_terms(state.discriminator, real, fake)
            figures |= update(state.generator_optimizer, "generator", terms, step)
        if state.average is not None:
            state.average.update_parameters(state.generator)
        followed = self.follow(figures)
        spent = time.perf_counter() - began
        speed = self.recipe.run.batch_size * critic_steps / spent
        times = {"time/images_per_second": speed, "time/loader_share": loading / spent}
        return figures | followed | distributed.mean_over_ranks(times)

    def scenes(self, batch: Batch) -> tuple[DiscriminatorInput, DiscriminatorInput]:
        """Return the batch as it is, and with its holes filled by the generator."""
        generator, objective = self.state.generator, self.state.objective
        samples = objective.num_samples
        length = max(samples, 1) * generator.settings.noise_dim
        noise = distributed.shard_rows(
            lambda rows: torch.randn(rows, length, device=self.device), len(batch.images)
        )
        context = hide(batch.images, batch.mask)
        caption = objective.condition(batch.caption)
        wide = zero = None
        if not samples:
            fill = generator(context, batch.mask, caption, noise)
        else:
            again = max(1, round(objective.resample_fraction * len(noise)))
            first, *others = noise.chunk(samples, dim=1)
            noises = [first, *(other[:again] for other in others)]
            if objective.zero_noise_fills:
                noises.append(torch.zeros_like(first[:again]))
            drawn = generator.draw(context, batch.mask, caption, noises)
            wide = tuple(draw.float() for draw in drawn)
            wide, zero = (wide[:-1], wide[-1]) if objective.zero_noise_fills else (wide, None)
            fill = generator.crop_margin(wide[0])
        composite = paste(context, batch.mask, fill.float())
        return DiscriminatorInput(*batch), DiscriminatorInput(
            composite, batch.mask, caption, wide, zero_noise_fills=zero
        )

    def follow(self, figures: Metrics) -> Metrics:
        """Let objective and learning rates follow a step; return what to log, under `state/…`."""
        state, objective = self.state, self.state.objective
        logged = objective.after_step(figures)
        if state.plateau is not None and objective.plateau_metric is not None:
            optimizers = state.generator_optimizer, state.discriminator_optimizer
            if state.plateau.update(logged[objective.plateau_metric]):
                state.plateau.halve_rates(*optimizers)
            logged["learning_rate"] = optimizers[0].param_groups[0]["lr"]
        return {f"state/{name}": value for name, value in logged.items()}

    def seed_at(self, step: int) -> int:
        """Return a step's seed: another after a roll-back, or it would lead to the same jump."""
        seed, rollbacks = (
            mix(self.recipe.run.seed, STEP_STREAM),
            self.monitors.monitor_set.rollbacks,
        )
        seed = mix(mix(seed, rollbacks) if rollbacks else seed, step)
        # Networks draw dropout for the rows they have: it must not be the same on every rank.
        return (
            mix(seed, distributed.rank()) if distributed.rank() and self.dropout_at(step) else seed
        )

    def alpha_at(self, step: int) -> float:
        """Return how much of each vanishing residual is still a wire: 1 falls to 0."""
        steps = self.recipe.vanishing.steps
        return max(0.0, 1 - step / steps) if steps else 0.0

    def dropout_at(self, step: int) -> float:
        """Return the dropout in force: none until the recipe's share of the run is done."""
        dropout = self.recipe.dropout
        return dropout.probability if step >= dropout.start * self.recipe.run.steps else 0.0

    def autocast(self) -> AbstractContextManager[None]:
        """Return the recipe's precision as a context."""
        return autocast(self.recipe.engine.precision, self.device.type)


def update(optimizer: torch.optim.Optimizer, player: str, terms: Terms, step: int) -> Metrics:
    """Reduce the terms over rows and ranks, stop at what is not finite, then step.

    Raises:
        NonFiniteError: names the player, the term and the step; weights are as before.
    """
    if not terms:
        return {}
    means: dict[str, Tensor] = {name: term.float().mean() for name, term in terms.items()}
    figures = distributed.mean_over_ranks(
        {f"{player}/{name}": float(mean.detach()) for name, mean in means.items()}
    )
    for name, value in figures.items():
        if not torch.isfinite(torch.tensor(value)):
            raise NonFiniteError(f"term {name} is {value} at step {step}: stopped before stepping")
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(means.values())).sum().backward()
    distributed.average_gradients(p for group in optimizer.param_groups for p in group["params"])
    optimizer.step()
    return figures


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Keep gradients out of a network's weights while they pass through it."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
