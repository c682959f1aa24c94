"""Halves the learning rates when a metric stops falling.

torch's ReduceLROnPlateau compares single values; a GAN's are too noisy, so windows are compared.
"""

import math

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
        self.restore_rates(*optimizers)

    def restore_rates(self, *optimizers: torch.optim.Optimizer) -> None:
        """Set the rates that follow from the recipe's and the number of halvings."""
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                initial = rate = group.get("initial_lr", group["lr"])
                for _ in range(int(self.halvings)):
                    group["initial_lr"] = initial
                    rate = min(rate, max(rate / 2, self.settings.floor))
                group["lr"] = rate

    def state_dict(self) -> dict[str, float]:
        """Return the state for a checkpoint."""
        return {name: value for name, value in vars(self).items() if name != "settings"}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Load what `state_dict` returned."""
        vars(self).update(state)
