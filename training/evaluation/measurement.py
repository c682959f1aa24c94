"""A measurement: the value of one measure on one set, with its interval and its targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.evaluation.table import markdown_table
from training.evaluation.targets import TARGETS, Target
from training.metrics.confidence import Interval

PASS_FAIL = {True: "met", False: "not met", None: "–"}
HEADINGS = ("measure", "data", "figure [95%]", "must reach", "", "reach for", "", "counted")


@dataclass(frozen=True)
class Measurement:
    """One measure of a bundle on one set of pictures.

    Attributes:
        measure: key of `TARGETS`.
        data: source and split.
        value: the figure; `None` where it could not be measured.
        counted: sample size, in words.
        interval: the 95% interval, if there is one.
        network: name and digest of the feature network or judge, if one was used.
        details: further figures that the value is made of.
        missing: why it was not measured.
    """

    measure: str
    data: str
    value: float | None
    counted: str = ""
    interval: Interval | None = None
    network: str = ""
    details: Mapping[str, float | str] = field(default_factory=dict)
    missing: str = ""

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

    def table_row(self) -> list[str]:
        """Return the cells of a row under `HEADINGS`."""
        target, (required_met, goal_met) = self.target, self.pass_fail
        return [
            target.title,
            self.data,
            self.formatted(),
            target.required_text(),
            PASS_FAIL[required_met],
            target.bound_text(target.goal),
            PASS_FAIL[goal_met],
            self.counted,
        ]

    def formatted(self) -> str:
        """Return the value with its interval, in the number format of its measure."""
        if self.value is None:
            return f"not measured: {self.missing}"
        number_format = self.target.number_format
        value = f"{self.value:{number_format}}"
        if self.interval is None:
            return value
        return (
            f"{value} [{self.interval.low:{number_format}}, {self.interval.high:{number_format}}]"
        )

    def details_line(self) -> str:
        """Return a line with the details and the network; empty if there are none."""
        parts = [f"{name} {format_value(value)}" for name, value in self.details.items()]
        parts += [f"seen by {self.network}"] if self.network else []
        return f"- {self.target.title}, {self.data}: {'; '.join(parts)}." if parts else ""


def from_interval(
    measure: str,
    data: str,
    interval: Interval,
    counted: str,
    *,
    network: str = "",
    details: Mapping[str, float | str] | None = None,
) -> Measurement:
    """Make a measurement of a mean and its interval."""
    return Measurement(measure, data, interval.mean, counted, interval, network, details or {})


def not_measured(measure: str, data: str, reason: str) -> Measurement:
    """Make a measurement without a value that says why."""
    return Measurement(measure, data, None, missing=reason)


def to_markdown(measurements: Sequence[Measurement]) -> str:
    """Return the table of measurements, their details, and the definitions."""
    ordered = sorted(measurements, key=lambda one: list(TARGETS).index(one.measure))
    measures = dict.fromkeys(one.measure for one in ordered)
    definitions = [f"- **{TARGETS[m].title}**: {TARGETS[m].definition}." for m in measures]
    return "\n\n".join(
        [
            "## Measures",
            markdown_table(HEADINGS, [one.table_row() for one in ordered]),
            "### What they are made of",
            "\n".join(filter(None, (one.details_line() for one in ordered))),
            "### What is measured",
            "\n".join(definitions),
        ]
    )


def format_value(value: float | str) -> str:
    """Return a number with four significant digits, or a text as it is."""
    return value if isinstance(value, str) else f"{value:#.4g}"
