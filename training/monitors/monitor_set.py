"""The watch over a run: asks every guard, and remembers how long each trouble has lasted."""

from typing import Any

from training.monitors.base import Action, Finding, Monitor, Observation
from training.monitors.loss_spike import network_losses
from training.monitors.settings import MonitorSettings

# Looks that a loss is compared with.
WINDOW = 20


class MonitorSet:
    """Turns observations into findings.

    Its state is plain numbers and belongs into the checkpoint, so that a resumed run finds what
    an uninterrupted one would.

    Attributes:
        since: guard -> first step of the trouble it sees now.
        warned: guard -> step of its last warning.
        past: player -> its losses at the last looks without a jump.
        rollbacks: how often the run was rolled back.
    """

    def __init__(self, settings: MonitorSettings) -> None:
        self.settings = settings
        self.since: dict[str, int] = {}
        self.warned: dict[str, int] = {}
        self.past: dict[str, list[float]] = {}
        self.rollbacks = 0

    def look(self, seen: Observation) -> list[Finding]:
        """Ask every guard.

        Returns:
            What must be said or done now; at most one finding a guard.
        """
        if seen.step < self.settings.warmup:
            return []
        findings = []
        for name, guard in self.settings.enabled_monitors().items():
            message = guard.check(seen, self.past)
            if message is None:
                self.since.pop(name, None)
                continue
            self.since.setdefault(name, seen.step)
            action = self.due(name, guard, seen.step)
            if action is not None:
                findings.append(Finding(seen.step, name, message, action, self.since[name]))
        if "jump" not in self.since:
            self.remember(seen)
        return findings

    def due(self, name: str, guard: Monitor, step: int) -> Action | None:
        """Return what a trouble calls for at this step; `None` where all is said."""
        lasted = step - self.since[name]
        if guard.act_after and lasted >= guard.act_after:
            spent = self.rollbacks >= self.settings.jump.most_rollbacks
            return Action.STOP if spent else guard.action
        said = step - self.warned.get(name, -self.settings.quiet)
        if lasted < guard.warn_after or said < self.settings.quiet:
            return None
        self.warned[name] = step
        return Action.WARN

    def remember(self, seen: Observation) -> None:
        """Keep the losses of a look without a jump for the next ones."""
        for player, loss in network_losses(seen.figures).items():
            self.past[player] = [*self.past.get(player, []), loss][-WINDOW:]

    def forget_losses(self) -> None:
        """Compare losses anew, as after a change of the recipe that puts other weights on them."""
        self.past.clear()
        self.since.pop("jump", None)

    def roll_back(self, state: dict[str, Any]) -> None:
        """Take back a checkpoint's state, but count the roll-back.

        The count must also change the randomness of the steps done again, or they would lead to
        the same jump.
        """
        rollbacks = self.rollbacks + 1
        self.load_state_dict(state)
        self.rollbacks = rollbacks

    def state_dict(self) -> dict[str, Any]:
        """Return everything remembered, as plain numbers and lists."""
        return {
            "since": dict(self.since),
            "warned": dict(self.warned),
            "past": {player: list(values) for player, values in self.past.items()},
            "rollbacks": self.rollbacks,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.since, self.warned = dict(state["since"]), dict(state["warned"])
        self.past = {player: list(values) for player, values in state["past"].items()}
        self.rollbacks = int(state["rollbacks"])
