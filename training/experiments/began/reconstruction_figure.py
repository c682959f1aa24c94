"""The drawing of reconstruction losses and of the bound on their distance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from training.experiments.began.gaussian_bound import Pair
from training.experiments.drawing import style_axes

NAMES = {"real": "L(x), held out", "generated": "L(G(z))"}


def draw_reconstruction_losses(
    losses: Mapping[str, np.ndarray],
    pair: Pair,
    bound: Mapping[str, Any],
    gaussians: Sequence[Mapping[str, Any]],
) -> Figure:
    """Draw histograms with the fitted normals, Q–Q plots, the losses' distance, and the bound."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    panels = figure.subplots(2, 3)
    for axes, (color, name) in zip(panels[0], enumerate(NAMES), strict=False):
        _density(axes, losses[name], NAMES[name], f"C{color}")
    _quantiles(panels[0, 2], losses)
    _cumulative(panels[1, 0], losses, bound)
    _tightness(panels[1, 1], pair, bound, gaussians)
    _against(panels[1, 2], gaussians)
    return figure


def _density(axes: Axes, values: np.ndarray, name: str, color: str) -> None:
    """Draw a histogram, and the normal of the same mean and variance."""
    axes.hist(values, bins=40, density=True, alpha=0.4, color=color)
    at = np.linspace(values.min(), values.max(), 200)
    axes.plot(at, stats.norm.pdf(at, values.mean(), values.std(ddof=1)), color=color)
    title = f"skewness {stats.skew(values):.2f}, excess kurtosis {stats.kurtosis(values):.2f}"
    style_axes(axes, f"{name}: {title}", "loss a picture", "density")


def _quantiles(axes: Axes, losses: Mapping[str, np.ndarray]) -> None:
    """Draw ordered, standardised losses against the normal's quantiles."""
    ends = []
    for color, (name, values) in enumerate(losses.items()):
        (at, ordered), (_, _, r) = stats.probplot((values - values.mean()) / values.std(ddof=1))
        axes.plot(at, ordered, ".", ms=3, color=f"C{color}", label=f"{NAMES[name]}: r {r:.4f}")
        ends += [at.min(), at.max()]
    axes.plot([min(ends), max(ends)], [min(ends), max(ends)], "k-", lw=0.8)
    axes.legend(fontsize=8, frameon=False)
    style_axes(axes, "Q–Q", "normal quantile", "loss, standardised")


def _cumulative(axes: Axes, losses: Mapping[str, np.ndarray], bound: Mapping[str, Any]) -> None:
    """Draw both distribution functions; the area between them is W₁."""
    at = np.sort(np.concatenate([*losses.values()]))
    both = [
        np.searchsorted(np.sort(values), at, "right") / len(values) for values in losses.values()
    ]
    axes.fill_between(at, both[0], both[1], step="post", color="0.85")
    for color, (name, share) in enumerate(zip(losses, both, strict=True)):
        axes.step(at, share, where="post", color=f"C{color}", label=NAMES[name])
    axes.legend(fontsize=8, frameon=False)
    title = f"W₁ {bound['w1']:.4f} (the area), |m₁ - m₂| {bound['bound']:.4f}"
    style_axes(axes, title, "loss a picture", "share below")


def _tightness(
    axes: Axes, pair: Pair, bound: Mapping[str, Any], gaussians: Sequence[Mapping[str, Any]]
) -> None:
    """Draw how much of W₁ the bound is, against the ratio of the condition."""
    ratios = np.geomspace(1e-4, 1e3, 200)
    # One as far apart as the other is wide: means 1 apart, deviations 1 and 1 + √ratio.
    exact = [Pair(0, 1, 1, (1 + ratio**0.5) ** 2).tightness for ratio in ratios]
    axes.plot(ratios, exact, "k-", lw=1, label="normal, exact")
    shown = [row for row in gaussians if row["ratio"] > 0]
    sampled = [row["bound"] / row["w1_sampled"] for row in shown]
    axes.plot([row["ratio"] for row in shown], sampled, "C2o", ms=4, label="normal, sampled")
    here = min(max(pair.ratio, ratios[0]), ratios[-1])
    axes.plot([here], [bound["tightness"]], "C3*", ms=13, label="this run's losses")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.05)
    axes.legend(fontsize=8, frameon=False)
    style_axes(axes, "how tight", "(c₁ + c₂ - 2√(c₁c₂)) / (m₁ - m₂)²", "|m₁ - m₂| / W₁")


def _against(axes: Axes, gaussians: Sequence[Mapping[str, Any]]) -> None:
    """Draw sampled W₁, and W₂, against the bound; nothing may lie below the diagonal."""
    bounds = [row["bound"] for row in gaussians]
    axes.plot(bounds, [row["w2"] for row in gaussians], "C4x", ms=6, label="W₂, exact")
    axes.plot(bounds, [row["w1_sampled"] for row in gaussians], "C2o", ms=4, label="W₁, sampled")
    ends = [min(bounds) * 0.8, max(bounds) * 1.2]
    axes.plot(ends, ends, "k-", lw=0.8, label="the bound")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(fontsize=8, frameon=False)
    style_axes(axes, "normal distributions", "|m₁ - m₂|", "distance")
