"""M_global against KID: whether BEGAN's measure of convergence predicts image quality."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.common.errors import RunError
from training.evaluation.metrics.mobilenet import require_extractor
from training.evaluation.run_quality import definitions, generate_for, measure
from training.experiments.began.correlation import RankCorrelation, spearman
from training.experiments.drawing import style_axes
from training.experiments.output import write_result
from training.experiments.registry import Count, Data, Out, Run, Seed, Split, experiment
from training.runs.checkpoints.snapshots import load_snapshot, snapshots
from training.runs.load_run import load_run, moved_to
from training.runs.metric_logger import read_log
from training.runs.report.curves import Log, axis_limits, series, thin

MEASURE = "state/M"
MIN_SNAPSHOTS = 4  # for a rank correlation
M_MEANING = "mean of M_global as logged within {:g} steps either side of the snapshot"
MEANINGS = {
    "spearman": "ρ over the snapshots; p by permutation, as if they were independent; "
    "95% bootstrap interval over the snapshots",
    "their changes": "ρ of the differences from each snapshot to the next, which a trend that "
    "M and KID share does not raise",
}

Window = Annotated[
    int, typer.Option(min=1, help="Steps around a snapshot that M is averaged over.")
]


@experiment("m-and-kid")
def m_and_kid(
    run: Run,
    *,
    out: Out,
    data: Data = None,
    split: Split = None,
    count: Count = 512,
    seed: Seed = 0,
    window: Window = 500,
) -> None:
    """Correlate M_global with KID over a BEGAN run's snapshots.

    Berthelot et al. 2017, §3.4.1: M = L(x) + |γL(x) - L(G(z))| is offered as a measure of
    convergence. Both fall during a run in any case; the correlation of their changes from snapshot
    to snapshot is free of that trend.
    """
    loaded = load_run(run, data=moved_to(data))
    log = read_log(run)
    means = smooth_m(log, [*snapshots(run)], window, loaded.name)
    batch, extractor = loaded.batch(loaded.held_out(data, split), count, seed), require_extractor()
    rows = []
    for step, path in snapshots(run).items():  # on the same pictures and noise
        load_snapshot(path, loaded.generator)
        generated = generate_for(loaded, loaded.generator, batch, seed)
        rows.append({"step": step, "M": means[step], **measure(generated, seed, extractor)})
    found = correlations(rows, seed)
    results = {
        "window_steps": window,
        "rows": rows,
        "spearman": {name: asdict(correlation) for name, correlation in found.items()},
        "definitions": definitions(whole=loaded.unconditional)
        | {"M": M_MEANING.format(window / 2)}
        | MEANINGS,
    }
    write_result(out, "m-and-kid", [loaded], results, draw_m_and_kid(rows, log, found, window))


def smooth_m(log: Log, steps: Sequence[int], window: int, name: str) -> dict[int, float]:
    """Return the mean of M as logged within half a window [steps] of each snapshot's step.

    At the run's end the window holds its earlier half alone.

    Raises:
        RunError: the log has no M, there are too few snapshots, or a window holds no entry.
    """
    logged, values = series(MEASURE, log)
    if not len(logged):
        raise RunError(f"{name} logs no M: M_global is BEGAN's, and this is no BEGAN run")
    if len(steps) < MIN_SNAPSHOTS:
        raise RunError(
            f"{name} has {len(steps)} snapshots and {MIN_SNAPSHOTS} are needed (run.snapshot_every)"
        )
    means = {}
    for step in steps:
        near = values[np.abs(logged - step) <= window / 2]
        if not len(near):
            raise RunError(f"{name} logged no M within {window / 2:g} steps of step {step}")
        means[step] = float(near.mean())
    return means


def correlations(rows: Sequence[Mapping[str, Any]], seed: int) -> dict[str, RankCorrelation]:
    """Correlate M with KID, their changes from row to row, and each with the step.

    Raises:
        RunError: one of them never changes.
    """
    steps, means = [row["step"] for row in rows], [row["M"] for row in rows]
    kids = [row["kid"]["mean"] for row in rows]
    return {
        "M and KID": spearman(means, kids, seed),
        "their changes": spearman(np.diff(means).tolist(), np.diff(kids).tolist(), seed),
        "M and step": spearman(means, steps, seed),
        "KID and step": spearman(kids, steps, seed),
    }


def draw_m_and_kid(
    rows: Sequence[Mapping[str, Any]],
    log: Log,
    found: Mapping[str, RankCorrelation],
    window: int,
) -> Figure:
    """Draw KID against M, and both against the step."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.3])
    draw_kid_against_m(left, rows, found)
    logged, values = series(MEASURE, log)
    right.plot(*thin(logged, values), color="C0", alpha=0.25, lw=0.8)
    steps = [row["step"] for row in rows]
    right.plot(steps, [row["M"] for row in rows], "C0o-", ms=4)
    style_axes(right, f"M (mean over {window} steps) and KID", "step")
    right.set_ylabel("M", color="C0", fontsize=9)
    right.set_ylim(*axis_limits(values))
    other = right.twinx()
    kids, spreads = ([row["kid"][key] for row in rows] for key in ("mean", "spread"))
    other.errorbar(steps, kids, yerr=spreads, fmt="C1s-", ms=4, capsize=2)
    other.set_ylabel("KID", color="C1", fontsize=9)
    other.spines["top"].set_visible(False)
    return figure


def draw_kid_against_m(
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
    title = f"ρ {whole.rho:.2f}{ends}, {p}"
    style_axes(axes, f"{title}; of changes ρ {changes.rho:.2f}", "M", "KID (lower is better)")
