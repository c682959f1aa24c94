"""What every guard is given, what it answers, and how patient it is."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as validated
from torch import Tensor

STRICT = ConfigDict(extra="forbid")
# A figure's values at earlier looks, oldest first.
History = Mapping[str, Sequence[float]]


class Action(StrEnum):
    """What a finding asks of the trainer."""

    WARN = "warn"
    STOP = "stop"
    ROLL_BACK = "roll back"


@dataclass(frozen=True)
class Observation:
    """A run at one step.

    Attributes:
        step: steps done.
        figures: what the step logged, such as `generator/l2` and `state/k`.
        fills: `(N, 3, S, S)`, -1 to 1, N at least 2: what the generator makes of a fixed batch
            (centres, or whole pictures where nothing is inpainted).
        reals: `(N, 3, S, S)`, -1 to 1: the real ones.
        critic_weights: the critic's parameters, where they are clipped.
        clip: the clip in force, or `None`.
    """

    step: int
    figures: Mapping[str, float]
    fills: Tensor
    reals: Tensor
    critic_weights: Iterable[Tensor] = field(default=())
    clip: float | None = None


@dataclass(frozen=True)
class Finding:
    """Something a guard saw.

    Attributes:
        step: steps done when it was seen.
        guard: the guard's name, its key in the recipe.
        message: one line for the log.
        action: what is asked for.
        since: the first step of the trouble; checkpoints from before it are good.
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
    """Settings that every guard has, and its judgement.

    Attributes:
        enabled: off where a recipe means to do what the guard warns of.
        warn_after: steps that trouble must last without a break before it is said.
        act_after: steps it must last before the run is stopped or rolled back; 0 only warns.
    """

    action: ClassVar[Action] = Action.STOP

    enabled: bool = True
    warn_after: int = Field(default=0, ge=0)
    act_after: int = Field(default=0, ge=0)

    @abstractmethod
    def check(self, seen: Observation, past: History) -> str | None:
        """Return what is wrong in one line, or `None`."""
