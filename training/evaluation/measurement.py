"""Figures of the measures of `training.evaluation.targets`, with what it takes to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.evaluation.table import markdown_table
from training.evaluation.targets import MEASURES, Target
from training.metrics.images import Interval

VERDICTS = {True: "met", False: "not met", None: "–"}
HEADINGS = ("measure", "data", "figure [95%]", "must reach", "", "reach for", "", "counted")


@dataclass(frozen=True)
class Measurement:
    """A measure of a bundle on one set of pictures.

    Attributes:
        measure: key of `MEASURES`.
        data: source and split.
        value: what was measured; `None` where it could not be.
        counted: how many of what.
        interval: the 95% interval, where there is one.
        network: name and digest of the network that saw for it, where one did.
        beside: what the figure is made of, and whatever else belongs to it.
        missing: why it was not measured.
    """

    measure: str
    data: str
    value: float | None
    counted: str = ""
    interval: Interval | None = None
    network: str = ""
    beside: Mapping[str, float | str] = field(default_factory=dict)
    missing: str = ""

    @property
    def about(self) -> Target:
        """Its definition and bounds."""
        return MEASURES[self.measure]

    @property
    def verdicts(self) -> tuple[bool | None, bool | None]:
        """Whether what must be reached is, and what is reached for; `None` where nothing says."""
        if self.value is None:
            return None, None
        low = self.interval.low if self.interval else None
        return self.about.must_met(self.value, low), self.about.reach_met(self.value, low)

    def to_dict(self) -> dict[str, Any]:
        """Everything as what JSON can hold."""
        about, (must, reach) = self.about, self.verdicts
        interval = self.interval
        return {
            "measure": self.measure,
            "title": about.title,
            "data": self.data,
            "value": self.value,
            "interval": [interval.low, interval.high] if interval else None,
            "counted": self.counted,
            "must": about.must_words(),
            "must_met": must,
            "reach": about.words(about.reach),
            "reach_met": reach,
            "network": self.network,
            "beside": dict(self.beside),
            "missing": self.missing,
            "definition": about.definition,
        }

    def cells(self) -> list[str]:
        """A row of `HEADINGS`."""
        about, (must, reach) = self.about, self.verdicts
        return [
            about.title,
            self.data,
            self.shown(),
            about.must_words(),
            VERDICTS[must],
            about.words(about.reach),
            VERDICTS[reach],
            self.counted,
        ]

    def shown(self) -> str:
        """The figure with its interval, as its measure wants it shown."""
        if self.value is None:
            return f"not measured: {self.missing}"
        how = self.about.shown
        ends = self.interval and f" [{self.interval.low:{how}}, {self.interval.high:{how}}]"
        return f"{self.value:{how}}{ends or ''}"


def measured(
    measure: str,
    data: str,
    interval: Interval,
    counted: str,
    *,
    network: str = "",
    beside: Mapping[str, float | str] | None = None,
) -> Measurement:
    """Make a figure of a mean and its interval."""
    return Measurement(measure, data, interval.mean, counted, interval, network, beside or {})


def unmeasured(measure: str, data: str, why: str) -> Measurement:
    """Make a figure that says why there is none."""
    return Measurement(measure, data, None, missing=why)


def to_markdown(figures: Sequence[Measurement]) -> str:
    """Return the table of figures, what they are made of, and the definitions."""
    ordered = sorted(figures, key=lambda figure: list(MEASURES).index(figure.measure))
    titles = dict.fromkeys(figure.measure for figure in ordered)
    definitions = [f"- **{MEASURES[m].title}**: {MEASURES[m].definition}." for m in titles]
    return "\n\n".join(
        [
            "## Measures",
            markdown_table(HEADINGS, [figure.cells() for figure in ordered]),
            "### What they are made of",
            "\n".join(filter(None, map(made_of, ordered))),
            "### What is measured",
            "\n".join(definitions),
        ]
    )


def made_of(figure: Measurement) -> str:
    """Return a line with the numbers a figure is made of, and who saw; empty of one number."""
    parts = [f"{name} {number(value)}" for name, value in figure.beside.items()]
    parts += [f"seen by {figure.network}"] if figure.network else []
    return f"- {figure.about.title}, {figure.data}: {'; '.join(parts)}." if parts else ""


def number(value: float | str) -> str:
    """A number with four digits that count; a text as it is."""
    return value if isinstance(value, str) else f"{value:#.4g}"
