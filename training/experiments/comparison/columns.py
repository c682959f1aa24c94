"""The columns of a comparison: how a figure is shown in the Markdown table and the bar chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.table import markdown_table
from training.experiments.output import format_interval

Row = Mapping[str, Any]
ACROSS = 4  # panels of the chart side by side


@dataclass(frozen=True)
class Column:
    """A figure of each run.

    Attributes:
        key: of the figure in a row.
        title: in the table and above the panel of the chart.
        digits: decimals in the table.
        reference: where the chart has a line: 1 for real, or a required value.
    """

    key: str
    title: str
    digits: int = 2
    reference: float | None = None

    def cell(self, row: Row) -> str:
        """Return the figure as text: a number, KID × 10³, a mean with interval, or one a set."""
        match row.get(self.key):
            case None:
                return "–"
            case {"mean": mean, "spread": spread}:
                return f"{1000 * mean:.2f} ± {1000 * spread:.2f}"
            case {"mean": _} as figure:
                return format_interval(figure, self.digits)
            case Mapping() as by_set:
                return " / ".join(f"{values[0]:.3g}" for values in by_set.values())
            case int(number) | float(number):
                return format(number, "," if isinstance(number, int) else f".{self.digits}f")
            case text:
                return str(text)

    def bar(self, row: Row) -> tuple[float, float, float]:
        """Return the length of the bar, and the ends of the interval drawn around its tip."""
        match row.get(self.key):
            case {"mean": mean, "spread": spread}:
                return 1000 * mean, 1000 * (mean - spread), 1000 * (mean + spread)
            case {"mean": mean, "low": low, "high": high}:
                return mean, low, high
            case Mapping() as by_set:
                values = [float(figures[0]) for figures in by_set.values()]
                return float(np.mean(values)), min(values), max(values)
            case int(number) | float(number):
                return number, number, number
        return 0.0, 0.0, 0.0


def markdown_rows(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Return a Markdown table; a column that no row fills is left out."""
    shown = filled(columns, rows)
    cells = [[column.cell(row) for column in shown] for row in rows]
    return markdown_table([column.title for column in shown], cells)


def bar_chart(columns: Sequence[Column], rows: Sequence[Row], base: str) -> Figure:
    """Draw a panel for each column with a bar for every run, the base's in grey.

    A column that no row fills is left out.
    """
    shown = filled(columns, rows)
    down = -(-len(shown) // ACROSS)
    figure = Figure(figsize=(14, (0.3 * len(rows) + 1.2) * down), layout="constrained")
    panels = figure.subplots(down, ACROSS, sharey=True, squeeze=False).ravel()
    for axes, column in zip(panels, shown, strict=False):
        _draw_bars(axes, column, rows, base)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    figure.axes[0].invert_yaxis()
    return figure


def _draw_bars(axes: Axes, column: Column, rows: Sequence[Row], base: str) -> None:
    length, low, high = np.array([column.bar(row) for row in rows]).T
    around = [np.maximum(length - low, 0), np.maximum(high - length, 0)]
    colours = ["C7" if row["run"] == base else "C0" for row in rows]
    places = range(len(rows))
    axes.barh(places, length, xerr=around, color=colours, ecolor="0.2", capsize=2)
    if column.reference is not None:
        axes.axvline(column.reference, color="tab:red", linestyle="--", linewidth=0.8)
    axes.set_title(fill(column.title, 36), fontsize=9)
    axes.set_yticks(places, [row["run"] for row in rows], fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def filled(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """Return the columns that at least one row fills."""
    return [column for column in columns if any(row.get(column.key) is not None for row in rows)]
