"""The drawing of M_global beside KID."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.experiments.began.correlation import RankCorrelation
from training.experiments.drawing import tidy
from training.reporting.curves import Log, axis_limits, series, thin

MEASURE = "state/M"


def drawing(
    rows: Sequence[Mapping[str, Any]],
    log: Log,
    found: Mapping[str, RankCorrelation],
    window: int,
) -> Figure:
    """Draw KID against M, and both against the step."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.3])
    against(left, rows, found)
    logged, values = series(MEASURE, log)
    right.plot(*thin(logged, values), color="C0", alpha=0.25, lw=0.8)
    steps = [row["step"] for row in rows]
    right.plot(steps, [row["M"] for row in rows], "C0o-", ms=4)
    tidy(right, f"M (mean over {window} steps) and KID", "step")
    right.set_ylabel("M", color="C0", fontsize=9)
    right.set_ylim(*axis_limits(values))
    other = right.twinx()
    kids, spreads = ([row["kid"][key] for row in rows] for key in ("mean", "spread"))
    other.errorbar(steps, kids, yerr=spreads, fmt="C1s-", ms=4, capsize=2)
    other.set_ylabel("KID", color="C1", fontsize=9)
    other.spines["top"].set_visible(False)
    return figure


def against(
    axes: Axes, rows: Sequence[Mapping[str, Any]], found: Mapping[str, RankCorrelation]
) -> None:
    """Draw KID against M, coloured by the step."""
    kids = [row["kid"]["mean"] for row in rows]
    steps = [row["step"] for row in rows]
    points = axes.scatter([row["M"] for row in rows], kids, c=steps, cmap="viridis")
    axes.figure.colorbar(points, ax=axes, label="step")
    whole, changes = found["M and KID"], found["their changes"]
    ends = "" if whole.low is None else f" [{whole.low:.2f}, {whole.high:.2f}]"
    p = "p < 0.001" if whole.p < 0.001 else f"p {whole.p:.3f}"
    told = f"ρ {whole.rho:.2f}{ends}, {p}"
    tidy(axes, f"{told}; of changes ρ {changes.rho:.2f}", "M", "KID (lower is better)")
