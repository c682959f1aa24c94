"""Base class of monitors, their input (`Observation`), and their results (`Finding`) on disk."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as validated
from torch import Tensor

STRICT = ConfigDict(extra="forbid")
# Losses at earlier observations by network, oldest first.
History = Mapping[str, Sequence[float]]
FINDINGS = "findings.jsonl"  # of a run: a line each


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


def record_findings(folder: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Append findings to the file, and return those that are new.

    A run resumed from before a finding makes it again; it is not written twice.
    """
    known = read_findings(folder)
    new = [finding for finding in findings if asdict(finding) not in known]
    if new:
        with (folder / FINDINGS).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(finding)) + "\n" for finding in new)
    return new


def read_findings(folder: Path) -> list[dict[str, Any]]:
    """Read a run's findings, oldest first; a last line cut short by a kill is skipped."""
    path = folder / FINDINGS
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line.endswith("}")]
