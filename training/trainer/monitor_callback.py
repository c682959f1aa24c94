"""Shows a run's watch what it must see: the state' work on a fixed batch, now and then."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from models.geometry import centre, hide
from models.runtime.sampling import seeded_noise
from training.common import distributed
from training.data.batches import BatchSource, fixed_batch
from training.data.sampling import mix
from training.losses.objectives.base import Metrics
from training.monitors import Action, Finding, MonitorSet, Observation
from training.runs.run_dir import RunDir
from training.runs.train_state import TrainState, evaluating, memory_format, pick_device

# The watch's place in a checkpoint, beside the state'.
MONITOR_STATE = "watch"
PICTURES = 64
# The fixed batch must not be the one of the sample grids, nor any of the training's.
MONITOR_STREAM = 3


class MonitorCallback:
    """Looks at a run every `guards.every` steps.

    Looking changes nothing of the run: no number is drawn from torch's own generator, and the
    generator is left in the mode it was in.
    """

    def __init__(self, run: RunDir, state: TrainState, batches: BatchSource) -> None:
        self.run, self.state = run, state
        self.settings = run.recipe.guards
        self.monitor_set = MonitorSet(self.settings)
        engine, seed = run.recipe.engine, mix(run.recipe.run.seed, MONITOR_STREAM)
        device = pick_device(engine)
        batch = fixed_batch(batches.sets, batches.picture, seed, PICTURES)
        self.batch = batch.to(device, memory_format(engine))
        noise_dim = int(state.generator.settings.noise_dim)  # type: ignore[arg-type, union-attr]
        seeds = [mix(seed, row) for row in range(len(batch.images))]
        self.noise = seeded_noise(seeds, noise_dim).to(device)

    def look(self, step: int, figures: Metrics) -> list[Finding]:
        """Return what the guards find; nothing where they are off or this is not their step.

        Rank 0 looks for all, so that all do the same.
        """
        # A single picture has no other to be unlike.
        alone = len(self.batch.images) < 2
        if not self.settings.enabled or alone or step % self.settings.every:
            return []
        found = distributed.run_on_rank0(
            lambda: list(map(asdict, self.monitor_set.look(self.observe(step, figures))))
        )
        return [Finding(**{**finding, "action": Action(finding["action"])}) for finding in found]

    def observe(self, step: int, figures: Metrics) -> Observation:
        """Fill the fixed batch with the generator that is sampled from."""
        hole_alone = self.run.recipe.picture.hole == "centre"
        reals = centre(self.batch.images) if hole_alone else self.batch.images
        weights: Iterable[Tensor] = self.state.discriminator.parameters()
        return Observation(
            step, figures, self.fills(), reals, weights, self.state.objective.weight_clip
        )

    @torch.inference_mode()
    def fills(self) -> Tensor:
        """Return what the generator makes of the fixed batch, float32."""
        images, mask, caption = self.batch
        with evaluating(self.state.inference_generator) as generator:
            fills: Tensor = generator(hide(images, mask), mask, caption, self.noise)
        return fills.float()

    def load_state(self, step: int, saved: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self.monitor_set.load_state_dict(self.monitor_state(saved))
        self.forget_other_recipes(step)

    def roll_back(self, step: int, saved: Mapping[str, Any]) -> None:
        """Go back to a checkpoint's state, but count that."""
        self.monitor_set.roll_back(self.monitor_state(saved))
        self.forget_other_recipes(step)

    def monitor_state(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Return the watch's part of a checkpoint; checkpoints from before guards have none."""
        return dict(saved.get(MONITOR_STATE) or MonitorSet(self.settings).state_dict())

    def forget_other_recipes(self, step: int) -> None:
        """Compare losses anew where the recipe was changed since a checkpoint was written."""
        if any(change["step"] >= step for change in self.run.changes):
            self.monitor_set.forget_losses()
