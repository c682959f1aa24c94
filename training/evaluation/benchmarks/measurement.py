"""A measurement: the value of one measure on one set, with its interval and its targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from training.evaluation.benchmarks.targets import TARGETS, Target
from training.evaluation.metrics.confidence import Interval


class NotMeasuredError(Exception):
    """A measure cannot be computed; the message says why, and the report shows it."""


@dataclass(frozen=True)
class Measurement:
    """One measure of a bundle on one set of pictures.

    Attributes:
        value: the figure; `None` where it could not be measured.
        counted: sample size, in words.
        interval: the 95% interval, if there is one.
        network: name and digest of the feature network or judge, if one was used.
        details: further figures that the value is made of.
        missing: why it was not measured.
        measure: key of `TARGETS`.
        data: source and split.
    """

    value: float | None
    counted: str = ""
    interval: Interval | None = None
    network: str = ""
    details: Mapping[str, float | str] = field(default_factory=dict)
    missing: str = ""
    measure: str = ""
    data: str = ""

    @property
    def target(self) -> Target:
        """Definition and bounds of the measure."""
        return TARGETS[self.measure]

    @property
    def pass_fail(self) -> tuple[bool | None, bool | None]:
        """Whether the required bound is met, and whether the goal is; `None` if undecided."""
        if self.value is None:
            return None, None
        low = self.interval.low if self.interval else None
        return self.target.required_met(self.value, low), self.target.goal_met(self.value, low)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        target, (required_met, goal_met) = self.target, self.pass_fail
        interval = self.interval
        return {
            "measure": self.measure,
            "title": target.title,
            "data": self.data,
            "value": self.value,
            "interval": [interval.low, interval.high] if interval else None,
            "counted": self.counted,
            "must": target.required_text(),
            "must_met": required_met,
            "reach": target.bound_text(target.goal),
            "reach_met": goal_met,
            "network": self.network,
            "beside": dict(self.details),
            "missing": self.missing,
            "definition": target.definition,
        }

    def formatted(self) -> str:
        """Return the value with its interval, in the number format of its measure."""
        if self.value is None:
            return f"not measured: {self.missing}"
        ends = (self.interval.low, self.interval.high) if self.interval else ()
        value, *texts = (f"{number:{self.target.number_format}}" for number in (self.value, *ends))
        return f"{value} [{', '.join(texts)}]" if texts else value


def from_interval(
    interval: Interval,
    counted: str,
    network: str = "",
    details: Mapping[str, float | str] | None = None,
) -> Measurement:
    """Make a measurement of a mean and its interval."""
    return Measurement(interval.mean, counted, interval, network, details or {})
