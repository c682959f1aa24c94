"""Halve the learning rates when a figure stops falling."""

import math
from collections.abc import Sequence

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PlateauSettings:
    """When a figure has stalled, and what is done.

    Attributes:
        window: steps that a value is the mean of; single steps are too noisy to compare.
        patience: windows in a row without a new best that make a stall.
        floor: the learning rate is not lowered further than this.
    """

    window: int = Field(default=1000, ge=1)
    patience: int = Field(default=5, ge=1)
    floor: float = Field(default=1e-6, gt=0)


STATE_KEYS = ("total", "count", "best", "waited", "halvings")


class PlateauScheduler:
    """Follows a figure from step to step; its state is plain numbers and is checkpointed."""

    def __init__(self, settings: PlateauSettings) -> None:
        self.settings = settings
        self.total, self.count = 0.0, 0
        self.best, self.waited = math.inf, 0
        self.halvings = 0

    def update(self, value: float) -> bool:
        """Take in one step's value; return whether this is the moment to lower the rate."""
        self.total, self.count = self.total + value, self.count + 1
        if self.count < self.settings.window:
            return False
        mean, self.total, self.count = self.total / self.count, 0.0, 0
        if mean < self.best:
            self.best, self.waited = mean, 0
            return False
        self.waited += 1
        if self.waited < self.settings.patience:
            return False
        self.waited = 0
        return True

    def halve_rates(self, *optimizers: torch.optim.Optimizer) -> None:
        """Halve every learning rate, down to the floor; one that is below it stays."""
        self.halvings += 1
        self._lower(optimizers)

    def restore_rates(self, *optimizers: torch.optim.Optimizer) -> None:
        """Lower the recipe's own rates to where the run was at a checkpoint."""
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                # Gone back to from a later step of this process, which may have lowered them.
                group["lr"] = group.get("initial_lr", group["lr"])
        for _ in range(int(self.halvings)):
            self._lower(optimizers)

    def _lower(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
                group["lr"] = min(group["lr"], max(group["lr"] / 2, self.settings.floor))

    def state_dict(self) -> dict[str, float]:
        """Return what must survive a resume."""
        return {name: getattr(self, name) for name in STATE_KEYS}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take back what `state_dict` gave."""
        vars(self).update(state)
