"""Runs the monitors on a fixed batch every `guards.every` steps."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from models.geometry import centre, hide
from training.common import distributed
from training.common.console import is_main_process
from training.common.errors import RunError
from training.data.batches import BatchSource, fixed_batch
from training.data.sampling import mix_seed
from training.losses.objectives.base import Metrics
from training.monitors.base import Action, Finding, Observation, record_findings
from training.monitors.monitor_set import MonitorSet
from training.runs.checkpoints.train_state import (
    TrainState,
    evaluating,
    memory_format,
    pick_device,
    row_noise,
)
from training.trainer.callbacks import Callback, RollBackError
from training.trainer.checkpointer import Checkpointer

MONITOR_STATE = "watch"  # key of the monitors' state in a checkpoint
FIXED_IMAGES = 64
# Random stream of the fixed batch; samples, validation and training have others.
MONITOR_STREAM = 3

OnFinding = Callable[[Finding], None]


class MonitorCallback(Callback):
    """Runs the monitors; it changes nothing of what the run computes.

    No number is sampled from torch's own generator, and the networks keep their mode. `on_finding`
    takes each new warning and roll-back.
    """

    def __init__(
        self,
        checkpointer: Checkpointer,
        monitor_set: MonitorSet,
        batches: BatchSource,
        on_finding: OnFinding,
    ) -> None:
        self.checkpointer, self.run, self.state = checkpointer, checkpointer.run, checkpointer.state
        self.monitor_set, self.on_finding = monitor_set, on_finding
        self.settings = self.run.recipe.guards
        engine, seed = self.run.recipe.engine, mix_seed(self.run.recipe.run.seed, MONITOR_STREAM)
        device = pick_device(engine)
        batch = fixed_batch(batches.sets, batches.picture, seed, FIXED_IMAGES)
        self.batch = batch.to(device, memory_format(engine))
        self.noise = row_noise(self.state.generator, len(batch.images), seed).to(device)

    def on_train_start(self, step: int, state: TrainState) -> None:
        """Forget the losses of other recipes."""
        self.forget_other_recipes(step)

    def on_step_end(self, step: int, state: TrainState, metrics: Metrics, *, last: bool) -> None:
        """Run the monitors where they are due, record their findings and act on them.

        Raises:
            RunError: a monitor stops the run; a checkpoint is saved.
            RollBackError: a monitor asks for a roll-back.
        """
        findings = self.find(step, metrics)
        new = record_findings(self.run.folder, findings) if is_main_process() else []
        for finding in findings:
            if finding.action is Action.STOP:
                self.checkpointer.save(step)
                raise RunError(f"{finding} (--set guards.{finding.guard}.act_after=0 only warns)")
        for finding in new:
            self.on_finding(finding)
        for finding in findings:
            if finding.action is Action.ROLL_BACK:
                raise RollBackError(finding)

    def find(self, step: int, metrics: Metrics) -> list[Finding]:
        """Return the monitors' findings at this step; rank 0 observes for all ranks."""
        # Collapse compares images of a batch.
        too_few = len(self.batch.images) < 2
        if not self.settings.enabled or too_few or step % self.settings.every:
            return []
        found = distributed.run_on_rank0(
            lambda: list(map(asdict, self.monitor_set.look(self.observe(step, metrics))))
        )
        return [Finding(**{**finding, "action": Action(finding["action"])}) for finding in found]

    def observe(self, step: int, metrics: Metrics) -> Observation:
        """Return what the monitors look at: metrics, fills of the fixed batch, critic weights."""
        inpaints = self.run.recipe.picture.hole == "centre"
        reals = centre(self.batch.images) if inpaints else self.batch.images
        clip = self.state.objective.weight_clip
        return Observation(
            step, metrics, self.fills(), reals, self.state.discriminator.parameters(), clip
        )

    @torch.inference_mode()
    def fills(self) -> Tensor:
        """Return the generator's fills of the fixed batch, float32."""
        images, mask, caption = self.batch
        with evaluating(self.state.inference_generator) as generator:
            fills: Tensor = generator(hide(images, mask), mask, caption, self.noise)
        return fills.float()

    def on_roll_back(self, step: int, saved: Mapping[str, Any]) -> None:
        """Load the monitors' state, and count the roll-back."""
        # Checkpoints of older versions have no monitors' state.
        fresh = MonitorSet(self.settings).state_dict()
        self.monitor_set.roll_back(dict(saved.get(MONITOR_STATE, fresh)))
        self.forget_other_recipes(step)

    def forget_other_recipes(self, step: int) -> None:
        """Compare losses anew where the recipe was changed since the checkpoint of `step`."""
        if any(change["step"] >= step for change in self.run.changes):
            self.monitor_set.forget_losses()
