"""M_global against KID: does BEGAN's measure of convergence tell how good the pictures are?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from training.common.errors import RunError
from training.evaluation.run_quality import definitions, generate_for, measure
from training.experiments.began.correlation import RankCorrelation, spearman
from training.experiments.began.m_and_kid_figure import MEASURE, drawing
from training.experiments.registry import Count, Data, Out, Run, Seed, Split, experiment, leave
from training.metrics.image_metrics import ExtractFeatures
from training.metrics.mobilenet import require_extractor
from training.reporting.curves import Log, series
from training.runs.load_run import LoadedRun, load_run, moved_to
from training.runs.metric_logger import read_log
from training.runs.snapshots import load_snapshot, snapshots

LEAST = 4  # snapshots: a rank correlation of fewer says nothing

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
    convergence. Both fall as a run goes on, whatever M knows of the pictures: the correlation of
    their changes from snapshot to snapshot is free of that.
    """
    loaded = load_run(run, data=moved_to(data))
    log = read_log(run)
    means = smooth_measure(log, [*snapshots(run)], window, loaded.name)
    rows = followed(loaded, means, require_extractor(), count, seed, data=data, split=split)
    found = correlations(rows, seed)
    results = {
        "window_steps": window,
        "rows": rows,
        "spearman": {name: asdict(correlation) for name, correlation in found.items()},
        "definitions": definitions(whole=loaded.unconditional) | meanings(window),
    }
    leave(out, "m-and-kid", [loaded], results, drawing(rows, log, found, window))


def smooth_measure(log: Log, steps: Sequence[int], window: int, name: str) -> dict[int, float]:
    """Return the mean of M as logged within half a window of each step.

    Args:
        log: entries, oldest first.
        steps: of the snapshots.
        window: in steps; at the run's end it holds its earlier half alone.
        name: of the run.

    Raises:
        RunError: the log has no M, there are too few snapshots, or a window holds no entry.
    """
    logged, values = series(MEASURE, log)
    if not len(logged):
        raise RunError(f"{name} logs no M: M_global is BEGAN's, and this is no BEGAN run")
    if len(steps) < LEAST:
        raise RunError(
            f"{name} has {len(steps)} snapshots and {LEAST} are needed (run.snapshot_every)"
        )
    means = {}
    for step in steps:
        near = values[np.abs(logged - step) <= window / 2]
        if not len(near):
            raise RunError(f"{name} logged no M within {window / 2:g} steps of step {step}")
        means[step] = float(near.mean())
    return means


def followed(
    loaded: LoadedRun,
    means: Mapping[int, float],
    extractor: ExtractFeatures,
    count: int,
    seed: int,
    *,
    data: Path | None,
    split: str | None,
) -> list[dict[str, Any]]:
    """Measure every snapshot on the same pictures and noise; return its row, oldest first."""
    batch = loaded.batch(loaded.held_out(data, split), count, seed)
    rows = []
    for step, path in snapshots(loaded.run.folder).items():
        load_snapshot(path, loaded.generator)
        made = generate_for(loaded, loaded.generator, batch, seed)
        rows.append({"step": step, "M": means[step], **measure(made, seed, extractor)})
    return rows


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


def meanings(window: int) -> dict[str, str]:
    """Return what the figures mean, by name."""
    return {
        "M": f"mean of M_global as logged within {window / 2:g} steps either side of the snapshot",
        "spearman": "ρ over the snapshots; p by permutation, as if they were independent; "
        "95% bootstrap interval over the snapshots",
        "their changes": "ρ of the differences from each snapshot to the next, which a trend that "
        "M and KID share does not raise",
    }
