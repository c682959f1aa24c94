"""Settings of all monitors, and the set that runs them and tracks how long problems last."""

from copy import deepcopy
from dataclasses import fields
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from training.monitors.base import STRICT, Action, Finding, Monitor, Observation
from training.monitors.image_monitors import Checkerboard, Collapse, LowContrast, Saturation
from training.monitors.state_monitors import Balance, Clipping, LossSpike, network_losses

# Observations that a loss is compared with.
WINDOW = 20


@dataclass(frozen=True, config=STRICT)
class MonitorSettings:
    """The table `[guards]` of a recipe: the monitors of a run.

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


class MonitorSet:
    """Turns observations into findings.

    Its state is plain numbers and part of each checkpoint, so that a resumed run has the findings
    of an uninterrupted one.

    Attributes:
        since: monitor -> first step of its present problem.
        warned: monitor -> step of its last warning.
        past: network -> its losses at the last observations without a jump.
        rollbacks: how often the run was rolled back.
    """

    def __init__(self, settings: MonitorSettings) -> None:
        self.settings = settings
        self.since: dict[str, int] = {}
        self.warned: dict[str, int] = {}
        self.past: dict[str, list[float]] = {}
        self.rollbacks = 0

    def look(self, seen: Observation) -> list[Finding]:
        """Run the enabled monitors; return what to report or act on now, one a monitor at most."""
        if seen.step < self.settings.warmup:
            return []
        findings = []
        for name, monitor in self.settings.enabled_monitors().items():
            message = monitor.check(seen, self.past)
            if message is None:
                self.since.pop(name, None)
                continue
            self.since.setdefault(name, seen.step)
            action = self.due(name, monitor, seen.step)
            if action is not None:
                findings.append(Finding(seen.step, name, message, action, self.since[name]))
        if "jump" not in self.since:
            self.remember(seen)
        return findings

    def due(self, name: str, monitor: Monitor, step: int) -> Action | None:
        """Return the action due for a problem at this step, or `None`."""
        lasted = step - self.since[name]
        if monitor.act_after and lasted >= monitor.act_after:
            exhausted = self.rollbacks >= self.settings.jump.most_rollbacks
            return Action.STOP if exhausted else monitor.action
        since_warning = step - self.warned.get(name, -self.settings.quiet)
        if lasted < monitor.warn_after or since_warning < self.settings.quiet:
            return None
        self.warned[name] = step
        return Action.WARN

    def remember(self, seen: Observation) -> None:
        """Keep the losses of an observation without a jump."""
        for network, loss in network_losses(seen.figures).items():
            self.past[network] = [*self.past.get(network, []), loss][-WINDOW:]

    def forget_losses(self) -> None:
        """Forget past losses, as after a change of the recipe's weights."""
        self.past.clear()
        self.since.pop("jump", None)

    def roll_back(self, state: dict[str, Any]) -> None:
        """Load a checkpoint's state, and count the roll-back.

        The count changes the random numbers of the repeated steps, or they would lead to the same
        jump.
        """
        self.load_state_dict({**state, "rollbacks": self.rollbacks + 1})

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain numbers and lists."""
        return deepcopy({k: v for k, v in vars(self).items() if k != "settings"})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what `state_dict` returned."""
        vars(self).update(deepcopy(state))
