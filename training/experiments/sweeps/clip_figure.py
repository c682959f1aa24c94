"""The drawing of a clip sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import SymmetricalLogLocator
from torch import Tensor

from training.experiments.drawing import panels_over_strips, style_axes
from training.reporting.curves import series, smooth, thin


def draw_clip_sweep(
    rows: Sequence[Mapping[str, Any]],
    logs: Sequence[Sequence[Mapping[str, float]]],
    strips: Mapping[str, Tensor],
) -> Figure:
    """Draw histograms, saturation, gradient norms, estimates and KID, the pictures under them."""
    figure, panels = panels_over_strips(strips, 5, panel_width=3.3, panel_height=4.2)
    for draw, axes in zip(
        (histograms, saturations, gradients, kids), panels[[0, 1, 2, 4]], strict=True
    ):
        draw(axes, rows)
    estimates(panels[3], rows, logs)
    # Where the most weights are pinned, at the ends, a legend inside would hide them.
    lines = panels[0].get_legend_handles_labels()
    panels[0].figure.legend(*lines, loc="outside upper center", ncols=len(rows), frameon=False)
    return figure


def histograms(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw where the weights lie, in units of the clip."""
    edges = np.linspace(-1, 1, len(rows[0]["histogram"]) + 1)
    for row in rows:
        axes.stairs(row["histogram"], edges, label=f"clip {row['clip']:g}")
    axes.set_yscale("log")
    style_axes(axes, "critic's weights", "weight / clip", "share (log)")


def saturations(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the share at the clip, layer by layer."""
    for row in rows:
        axes.plot([*row["saturation"].values()], "o-")
    axes.set_xticks(
        range(len(rows[0]["saturation"])), rows[0]["saturation"], rotation=60, ha="right"
    )
    axes.set_ylim(-0.02, 1.02)
    style_axes(axes, "saturation", "", "share at the clip")
    axes.tick_params(axis="x", labelsize=6)


def gradients(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the gradient norms from the input up."""
    for row in rows:
        axes.plot(row["gradient_norms"], "o-")
    axes.set_xticks(range(len(rows[0]["gradient_norms"])))
    axes.set_yscale("log")
    style_axes(axes, "gradient of the score", "level (0 is the input)", "norm (log)")


def kids(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw KID against the clip."""
    means, spreads = ([row["kid"][key] for row in rows] for key in ("mean", "spread"))
    axes.errorbar([row["clip"] for row in rows], means, yerr=spreads, fmt="o-", capsize=2)
    axes.set_xscale("log")
    style_axes(axes, "quality", "clip (log)", "KID (lower is better)")


def estimates(
    axes: Axes, rows: Sequence[Mapping[str, Any]], logs: Sequence[Sequence[Mapping[str, float]]]
) -> None:
    """Draw the Wasserstein estimates over training, smoothed.

    Each is the distance up to its critic's Lipschitz constant, which grows with the clip by orders
    of magnitude: hence the scale.
    """
    largest = []
    for row, log in zip(rows, logs, strict=True):
        steps, values = series("state/wasserstein", log)
        axes.plot(*thin(steps, smooth(values)), label=f"{row['clip']:g}")
        largest.append(float(np.abs(values).max()))
    linear = max(min(largest) / 10, 1e-12)
    axes.set_yscale("symlog", linthresh=linear)
    few = SymmetricalLogLocator(base=10, linthresh=linear)
    few.set_params(numticks=7)
    axes.yaxis.set_major_locator(few)
    style_axes(axes, "Wasserstein estimate", "step", "E f(x) - E f(g(z))")
