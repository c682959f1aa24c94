"""The table `[guards]` of a recipe: settings of all monitors."""

from dataclasses import fields

from pydantic import Field
from pydantic.dataclasses import dataclass

from training.monitors.balance import Balance
from training.monitors.base import STRICT, Monitor
from training.monitors.checkerboard import Checkerboard
from training.monitors.clipping import Clipping
from training.monitors.collapse import Collapse
from training.monitors.loss_spike import LossSpike
from training.monitors.low_contrast import LowContrast
from training.monitors.saturation import Saturation


@dataclass(frozen=True, config=STRICT)
class MonitorSettings:
    """The monitors of a run.

    Attributes:
        enabled: false for no monitors.
        every: steps between two observations.
        warmup: steps before the first; an untrained generator gives grey fills.
        quiet: steps before a monitor repeats a warning.
    """

    enabled: bool = True
    every: int = Field(default=250, ge=1)
    warmup: int = Field(default=500, ge=0)
    quiet: int = Field(default=2000, ge=1)
    collapse: Collapse = Collapse()
    balance: Balance = Balance()
    saturation: Saturation = Saturation()
    greyness: LowContrast = LowContrast()
    checkerboard: Checkerboard = Checkerboard()
    jump: LossSpike = LossSpike()
    clipping: Clipping = Clipping()

    def enabled_monitors(self) -> dict[str, Monitor]:
        """Return the enabled monitors by name."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: g for name, g in every.items() if isinstance(g, Monitor) and g.enabled}
