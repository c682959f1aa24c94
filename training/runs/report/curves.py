"""Curves of a run's metrics, drawn from its log alone."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Log = Sequence[Mapping[str, float]]

NOT_CURVES = ("step", "time")
INCHES = (5.2, 2.6)
# A curve of more points is thinned: it looks the same, and the page stays small.
POINTS = 600
# The smooth line is the mean over this share of the points.
SMOOTH = 0.04


def curves(logs: Mapping[str, Log]) -> dict[str, str]:
    """Draw each metric with a line for every run that logged it; return SVG texts by name.

    The logs, by the run's label, are the entries of `log.jsonl`, oldest first.
    """
    pictures = {}
    for name in dict.fromkeys(name for log in logs.values() for entry in log for name in entry):
        if name not in NOT_CURVES:
            figure = Figure(figsize=INCHES, layout="constrained")
            plot(figure.subplots(), name, logs)
            pictures[name] = to_svg(figure)
    return pictures


def plot(axes: Axes, name: str, logs: Mapping[str, Log]) -> None:
    """Draw one metric of all runs against the step: raw and pale, and smoothed."""
    seen = []
    for place, (label, log) in enumerate(logs.items()):
        steps, values = series(name, log)
        if len(steps):
            seen.append(values)
            style: dict[str, Any] = {"color": f"C{place}", "marker": "." if len(steps) == 1 else ""}
            axes.plot(*thin(steps, values), **style, alpha=0.3, linewidth=0.8)
            strong = thin(steps, smooth(values))
            axes.plot(*strong, **style, linewidth=1.4, label=label)
    axes.set_ylim(*axis_limits(np.concatenate(seen)))
    axes.set_title(name, fontsize=10)
    axes.set_xlabel("step", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if len(logs) > 1:
        axes.legend(fontsize=8, frameon=False)


def series(name: str, log: Log) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps at which a metric was logged and its values, where they are finite."""
    pairs = np.array([(e["step"], e[name]) for e in log if name in e], dtype=float).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    return pairs[:, 0], pairs[:, 1]


def smooth(values: np.ndarray) -> np.ndarray:
    """Return the running mean, over fewer points where it begins and ends."""
    width = max(1, round(SMOOTH * len(values)))
    kernel = np.ones(width)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


def thin(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return at most `POINTS` of the points, evenly spaced, including the last."""
    kept = even_indices(len(steps), POINTS)
    return steps[kept], values[kept]


def even_indices(count: int, most: int) -> np.ndarray:
    """Return at most `most` of the indices 0 to `count - 1`, evenly spaced, including both ends."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def axis_limits(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of the axis: a few outliers do not flatten the curve."""
    low, high = np.percentile(values, [0.5, 99.5]) if len(values) else (0.0, 1.0)
    margin = 0.08 * (high - low) or 0.05 * max(abs(high), 1e-3)
    return float(low - margin), float(high + margin)


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG text that depends on the figure alone."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "captionfill"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
