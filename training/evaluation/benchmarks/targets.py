"""The targets of docs/measures.md: what a bundle is measured by, and which values are required."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Target:
    """A measure: title, definition, and bounds, each `None` where there is none.

    Attributes:
        required: the bound that must be met.
        goal: the bound to aim for.
        at_most: whether less is better, so that bounds are upper bounds.
        lower_bound: what the whole 95% interval must lie above.
        number_format: of the value and its bounds.
    """

    title: str
    definition: str
    required: float | None = None
    goal: float | None = None
    at_most: bool = False
    lower_bound: float | None = None
    number_format: str = ".3f"

    def meets(self, bound: float | None, value: float) -> bool | None:
        """Return whether a value meets a bound; `None` if there is no bound."""
        if bound is None:
            return None
        return value <= bound if self.at_most else value >= bound

    def required_met(self, value: float, low: float | None) -> bool | None:
        """Return whether the requirement is met; `low` is the lower end of the interval."""
        met = self.meets(self.required, value)
        if self.lower_bound is None:
            return met
        return met is not False and low is not None and low > self.lower_bound

    def goal_met(self, value: float, low: float | None) -> bool | None:
        """Return whether the goal is met, for which the requirement must be met too."""
        met = self.meets(self.goal, value)
        return met and self.required_met(value, low) is not False

    def required_text(self) -> str:
        """Return the requirement in words."""
        parts = [self.bound_text(self.required)] if self.required is not None else []
        if self.lower_bound is not None:
            parts.append(f"interval above {self.lower_bound:{self.number_format}}")
        return ", ".join(parts) or "–"

    def bound_text(self, bound: float | None) -> str:
        """Return a bound in words."""
        if bound is None:
            return "–"
        return f"{'≤' if self.at_most else '≥'} {bound:{self.number_format}}"


def load_targets() -> dict[str, Target]:
    """Read the measures of `targets.toml`, by key, in the order of reports."""
    text = (resources.files("training.evaluation.benchmarks") / "targets.toml").read_text(
        encoding="utf-8"
    )
    return {name: Target(**fields) for name, fields in tomllib.loads(text).items()}


TARGETS = load_targets()
