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
from training.data.batches import Batch, BatchSource, mix
from training.data.loader import Loader
from training.data.memory_dataset import PictureSet
from training.losses.objectives.base import DiscriminatorInput, Metrics, Terms
from training.monitors import Action, Finding, record
from training.optim.precision import autocast
from training.runs.checkpoint import load_checkpoint, save_checkpoint, shared_checkpoint
from training.runs.metric_logger import MetricLogger, NullLogger
from training.runs.rollback import forget_trouble
from training.runs.run_dir import RunDir
from training.runs.snapshots import save_snapshot
from training.runs.train_state import TrainState, memory_format, pick_device
from training.trainer.best_checkpoint_callback import BEST_STATE, BestCheckpointCallback
from training.trainer.monitor_callback import WATCH, MonitorCallback
from training.trainer.nonfinite import check_weights, explained
from training.trainer.signals import between_steps
from training.trainer.timer import work_clock

OnStep = Callable[[int, Metrics], None]
OnFinding = Callable[[Finding], None]
# Streams of randomness that must not share numbers: noise and dropout, and sample grids.
STEP_STREAM = 1
WORKED = "worked"  # a checkpoint's key for the seconds that all steps so far have taken


class Trainer:
    """Trains a run from wherever it stands to its end.

    A step depends on the players' state, the seed, the step's number and how often the run was
    rolled back alone: batch, noise and dropout are drawn from generators seeded with these. So a
    resumed run needs nothing but the players and the watch over them to go on exactly as an
    uninterrupted one.

    Where several processes train together, each has its rows of every batch and all come to the
    same weights; rank 0 alone writes.
    """

    def __init__(
        self,
        run: RunDir,
        players: TrainState,
        batches: BatchSource,
        held_out: Sequence[PictureSet] | None = None,
    ) -> None:
        self.run, self.players = run, players
        self.recipe: Config = run.recipe
        self.loader = Loader(batches, self.recipe.loading.workers)
        self.device = pick_device(self.recipe.engine)
        self.step, self.worked = 0, 0.0
        self.lookout = MonitorCallback(run, players, batches)
        self.keeper = BestCheckpointCallback(run, players, held_out or batches.sets)
        # Each network sees the picture in one shape, so compiled code is specialised to it.
        if self.recipe.engine.compile:
            players.generator.compile(dynamic=False)
            players.discriminator.compile(dynamic=False)

    def resume(self) -> None:
        """Take up the newest checkpoint.

        Raises:
            RunError: there is none, or it is damaged.
        """
        self.step, state = shared_checkpoint(lambda: load_checkpoint(self.run.checkpoints))
        self.players.load_state_dict(state)
        self.lookout.take_up(self.step, state)
        self.keeper.best.load_state_dict(state.get(BEST_STATE, {}))
        self.worked = state.get(WORKED, 0.0)

    def train(
        self, on_step: OnStep, samples: Callable[[int], object], on_finding: OnFinding
    ) -> None:
        """Go on to the recipe's last step, logging, sampling and checkpointing on the way.

        Args:
            on_step: told the step and its figures after every step, for a progress bar.
            samples: asked to leave sample grids for the players as they are.
            on_finding: told what a guard found, but for what stops the run.

        Raises:
            RunError: a guard stopped the run; a checkpoint is left.
            KeyboardInterrupt: SIGINT or SIGTERM came; the step was finished and a checkpoint left.
            NonFiniteError: a term is NaN or infinite and nothing was stepped with it, or a weight
                is and no checkpoint was written; says what to try.
        """
        settings = self.recipe.run
        journal = MetricLogger(self.run.folder, self.step) if is_main_process() else NullLogger()
        saved = time.monotonic()
        if self.step == 0:
            samples(0)
        try:
            with between_steps() as interrupted:
                last = self.is_over()
                while not last:
                    figures = self.timed_step()
                    on_step(self.step, figures)
                    last = self.is_over()
                    if self.step % settings.log_every == 0 or last:
                        journal.write(self.step, figures)
                    if self.heed(self.lookout.look(self.step, figures), on_finding):
                        journal.back_to(self.step)
                        last = self.is_over()
                        continue
                    if self.step % settings.sample_every == 0 or last:
                        samples(self.step)
                    self.keep(journal)
                    due = time.monotonic() - saved > 60 * settings.checkpoint_minutes
                    due = due or last or self.step % settings.checkpoint_every == 0
                    stopped = distributed.any_rank(interrupted())
                    if due or stopped:
                        self.save()
                        saved = time.monotonic()
                    if stopped:
                        raise KeyboardInterrupt
        except NonFiniteError as error:
            raise explained(self.run, self.players, self.step, error) from error
        finally:
            journal.close()
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
        """Write a checkpoint of the players, and of the watch over them, as they are.

        Raises:
            NonFiniteError: a weight is not finite; the checkpoints are as before.
        """
        check_weights(self.players, self.step)
        if not is_main_process():
            return
        state = self.players.state_dict() | {
            WATCH: self.lookout.watch.state_dict(),
            BEST_STATE: self.keeper.best.state_dict(),
            WORKED: self.worked,
        }
        save_checkpoint(self.run.checkpoints, self.step, state)

    def keep(self, journal: MetricLogger | NullLogger) -> None:
        """Keep for good what this step calls for: a snapshot, the best checkpoint so far."""
        every = self.recipe.run.snapshot_every
        if is_main_process() and every and self.step % every == 0:
            save_snapshot(self.run.folder, self.step, self.players.for_inference)
        if not self.keeper.due(self.step):
            return
        figures = self.keeper.measure()
        journal.write(self.step, figures)
        if self.keeper.offer(self.step, figures):
            self.save()
            self.keeper.keep()

    def heed(self, findings: list[Finding], on_finding: OnFinding) -> bool:
        """Record what guards found and do what it asks for; return whether the run went back.

        Raises:
            RunError: the run must stop, or there is nothing to go back to.
        """
        new = record(self.run.folder, findings) if is_main_process() else []
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
            forget_trouble(self.run.checkpoints, finding.since, self.recipe.guards.every)
            return load_checkpoint(self.run.checkpoints)

        try:
            self.step, state = shared_checkpoint(last_good)
        except RunError as error:
            raise RunError(f"{finding}; {error}") from error
        self.players.load_state_dict(state)
        self.lookout.roll_back(self.step, state)

    def train_step(self, step: int) -> Metrics:
        """Update the discriminator `critic_steps` times, then the generator once.

        Returns:
            Each term's mean, under `discriminator/…` and `generator/…`, what the objective says of
            itself under `state/…`, and where the time went.
        """
        began = time.perf_counter()
        players, critic_steps = self.players, self.recipe.optimizers.critic_steps
        torch.manual_seed(self.seed_at(step))
        set_dropout(players.generator, self.dropout_at(step))
        for network in (players.generator, players.discriminator):
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
                real, fake = players.objective.prepare(players.discriminator, *self.scenes(batch))
            # The last fill serves both players, so it alone keeps its graph.
            with self.autocast():
                terms = players.objective.discriminator_terms(
                    players.discriminator, real, fake.detach()
                )
            figures |= update(players.discriminator_optimizer, "discriminator", terms, step)
            players.objective.after_discriminator_step(players.discriminator)
        with self.autocast(), frozen(players.discriminator):
            terms = players.objective.generator_terms(players.discriminator, real, fake)
            figures |= update(players.generator_optimizer, "generator", terms, step)
        if players.average is not None:
            players.average.update_parameters(players.generator)
        state = self.follow(figures)
        spent = time.perf_counter() - began
        speed = self.recipe.run.batch_size * critic_steps / spent
        times = {"time/images_per_second": speed, "time/loader_share": loading / spent}
        return figures | state | distributed.mean(times)

    def scenes(self, batch: Batch) -> tuple[DiscriminatorInput, DiscriminatorInput]:
        """Return the batch as it is, and with its holes filled by the generator."""
        generator, objective = self.players.generator, self.players.objective
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
        players, objective = self.players, self.players.objective
        state = objective.after_step(figures)
        if players.plateau is not None and objective.plateau_metric is not None:
            optimizers = players.generator_optimizer, players.discriminator_optimizer
            if players.plateau.stalls(state[objective.plateau_metric]):
                players.plateau.halve(*optimizers)
            state["learning_rate"] = optimizers[0].param_groups[0]["lr"]
        return {f"state/{name}": value for name, value in state.items()}

    def seed_at(self, step: int) -> int:
        """Return a step's seed: another after a roll-back, or it would lead to the same jump."""
        seed, rollbacks = mix(self.recipe.run.seed, STEP_STREAM), self.lookout.watch.rollbacks
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
    figures = distributed.mean(
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
