"""Losses and other training metrics against the step, from the log alone."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from training.common.errors import RunError
from training.experiments.output import write_result
from training.experiments.registry import Out, Runs, experiment
from training.runs.report.curves import Log, plot, series
from training.runs.report.html_report import label_runs
from training.runs.report.run_summary import read_run
from training.runs.run_dir import RunDir

# The other metrics of a log are times.
GROUPS = ("discriminator/", "generator/", "state/")
COLUMNS = 3
PANEL = (4.6, 2.5)  # inches
# Runs whose ranges differ more than so many times cannot be read on one linear axis: a critic's
# scores are dozens where a probability's logarithm is below one.
DISPARATE = 20.0
MEANINGS = {
    "discriminator/…": "a weighted term of what the discriminator or critic minimises",
    "generator/…": "a weighted term of what the generator minimises",
    "state/M": "BEGAN's M_global = L(x) + |γL(x) - L(G(z))| (Berthelot 2017, §3.4.1)",
    "state/k": "BEGAN's k, the weight of L(G(z)) in the discriminator's loss",
    "state/g": "BEGAN's L(G(z)) / L(x), which k steers to γ",
    "state/wasserstein": "the critic's estimate of the Wasserstein distance, up to its scale",
    "end": "the mean of the last 4% of the logged values",
}


@experiment("losses")
def losses(runs: Runs, out: Out) -> None:
    """Draw losses, BEGAN's M_global, k and g, and the Wasserstein estimate, runs overlaid."""
    summary = label_runs([read_run(folder) for folder in runs])
    logs = {label: run.log for label, run in summary.items()}
    names = logged_names(logs)
    if not names:
        raise RunError(f"{', '.join(map(str, runs))}: nothing is logged yet")
    results = {
        "figures": {label: summaries(log, names) for label, log in logs.items()},
        "meanings": MEANINGS,
    }
    write_result(
        out, "losses", [RunDir.open(folder) for folder in runs], results, draw_losses(names, logs)
    )


def logged_names(logs: Mapping[str, Log]) -> list[str]:
    """Return the names of the figures that any run logged, group by group."""
    names = dict.fromkeys(name for log in logs.values() for entry in log for name in entry)
    return [name for group in GROUPS for name in names if name.startswith(group)]


def summaries(log: Log, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return each figure's first, last and least value, and where it ends when smoothed."""
    found = {name: series(name, log) for name in names}
    return {name: summary(*pair) for name, pair in found.items() if len(pair[0])}


def summary(steps: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    """Return first, last and least value of one metric, and its mean at the end."""
    least = int(values.argmin())
    return {
        "points": len(steps),
        "first": {"step": int(steps[0]), "value": float(values[0])},
        "last": {"step": int(steps[-1]), "value": float(values[-1])},
        "min": {"step": int(steps[least]), "value": float(values[least])},
        "end": float(values[-ceil(0.04 * len(values)) :].mean()),
    }


def draw_losses(names: Sequence[str], logs: Mapping[str, Log]) -> Figure:
    """Draw a panel for each figure, with a line for every run that logged it."""
    columns = min(COLUMNS, len(names))
    rows = ceil(len(names) / columns)
    drawing = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows), layout="constrained")
    places = drawing.subplots(rows, columns, squeeze=False).flatten()
    for place, name in zip(places, names, strict=False):
        plot(place, name, logs)
        if ranges_differ([series(name, log)[1] for log in logs.values()]):
            place.set_yscale("symlog", linthresh=1.0)
    for place in places[len(names) :]:
        place.set_visible(False)
    return drawing


def ranges_differ(runs: Sequence[np.ndarray]) -> bool:
    """Return whether the runs' values lie in ranges of very different width."""
    widths = [float(np.ptp(np.percentile(v, [1, 99]))) for v in runs if len(v) > 1]
    return len(widths) > 1 and max(widths) > max(1.0, DISPARATE * min(widths))
