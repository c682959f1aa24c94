"""Halves the learning rates when a metric stops falling.

torch's ReduceLROnPlateau compares single values; a GAN's are too noisy, so windows are compared.
"""

import math
from collections.abc import Sequence

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PlateauSettings:
    """Settings of the plateau schedule.

    Attributes:
        window: steps whose mean is one value.
        patience: windows in a row without a new best before the rates are halved.
        floor: lowest learning rate.
    """

    window: int = Field(default=1000, ge=1)
    patience: int = Field(default=5, ge=1)
    floor: float = Field(default=1e-6, gt=0)


STATE_KEYS = ("total", "count", "best", "waited", "halvings")


class PlateauScheduler:
    """Follows a metric; its state is plain numbers and part of each checkpoint."""

    def __init__(self, settings: PlateauSettings) -> None:
        self.settings = settings
        self.total, self.count = 0.0, 0
        self.best, self.waited = math.inf, 0
        self.halvings = 0

    def update(self, value: float) -> bool:
        """Add a step's value, and return whether to halve the rates now."""
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
        """Halve every learning rate, down to the floor."""
        self.halvings += 1
        self._lower(optimizers)

    def restore_rates(self, *optimizers: torch.optim.Optimizer) -> None:
        """Set the rates of the checkpoint, from the recipe's."""
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                # After a roll-back the rates may be those of a later step.
                group["lr"] = group.get("initial_lr", group["lr"])
        for _ in range(int(self.halvings)):
            self._lower(optimizers)

    def _lower(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
                group["lr"] = min(group["lr"], max(group["lr"] / 2, self.settings.floor))

    def state_dict(self) -> dict[str, float]:
        """Return the state for a checkpoint."""
        return {name: getattr(self, name) for name in STATE_KEYS}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Load what `state_dict` returned."""
        vars(self).update(state)
