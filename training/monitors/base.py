"""Base class of monitors, their input (`Observation`) and result (`Finding`)."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as validated
from torch import Tensor

STRICT = ConfigDict(extra="forbid")
# Losses at earlier observations by network, oldest first.
History = Mapping[str, Sequence[float]]


class Action(StrEnum):
    """What the trainer does about a finding."""

    WARN = "warn"
    STOP = "stop"
    ROLL_BACK = "roll back"


@dataclass(frozen=True)
class Observation:
    """A run at one step.

    Attributes:
        step: steps done.
        figures: metrics of the step, such as `generator/l2` and `state/k`.
        fills: `(N, 3, S, S)`, -1 to 1, N at least 2: fills of a fixed batch (whole images of an
            unconditional system).
        reals: `(N, 3, S, S)`, -1 to 1: the real images.
        critic_weights: the critic's parameters.
        clip: bound of their absolute values; `None` without.
    """

    step: int
    figures: Mapping[str, float]
    fills: Tensor
    reals: Tensor
    critic_weights: Iterable[Tensor] = field(default=())
    clip: float | None = None


@dataclass(frozen=True)
class Finding:
    """A problem that a monitor found.

    Attributes:
        step: steps done when it was found.
        guard: the monitor's name, its key in the recipe.
        message: one line.
        action: what to do.
        since: first step of the problem; earlier checkpoints are good.
    """

    step: int
    guard: str
    message: str
    action: Action
    since: int

    def __str__(self) -> str:
        return f"step {self.step}: guard {self.guard}: {self.message}"


@validated(frozen=True, config=STRICT)
class Monitor(ABC):
    """A check of one kind of problem, with its settings.

    Attributes:
        enabled: false to switch it off.
        warn_after: steps that a problem must last without a break before a warning.
        act_after: steps before the run is stopped or rolled back; 0 only warns.
    """

    action: ClassVar[Action] = Action.STOP

    enabled: bool = True
    warn_after: int = Field(default=0, ge=0)
    act_after: int = Field(default=0, ge=0)

    @abstractmethod
    def check(self, seen: Observation, past: History) -> str | None:
        """Return the problem in one line, or `None`."""
