"""Cost and final metrics of a run, from its log."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean, median
from typing import Any

from training.runs.run_dir import RunDir

Log = Sequence[Mapping[str, float]]

# Between two lines of the log lies less than this, unless the run was stopped in between.
PAUSE_SECONDS = 300.0
# What a run says of itself at its end is the mean over this share of its lines.
FINAL_FRACTION = 0.1
DEFINITIONS = {
    "images_seen": "pictures in all batches, of all critic steps",
    "minutes": "of wall time between the first and the last line of the log, stops of over "
    f"{PAUSE_SECONDS / 60:.0f} minutes left out",
    "images_per_second": "median over the log, of training alone",
    "M": "M_global (Berthelot 2017, eq. 9), the mean over the last tenth of the log",
    "wasserstein": "E f(x) − E f(g(z)), the mean over the last tenth of the log; of a clipped "
    "critic up to an unknown factor",
}


def run_cost(run: RunDir, log: Log) -> dict[str, Any]:
    """Return the cost and the final metrics of a run with this log, oldest first, not empty.

    Returns:
        `steps`, `images_seen`, `minutes`, `images_per_second`, and `M` or `wasserstein` where the
        objective has one.
    """
    recipe, steps = run.recipe, int(log[-1]["step"])
    speed = "time/images_per_second"
    cost = {
        "steps": steps,
        "images_seen": steps * recipe.run.batch_size * recipe.optimizers.critic_steps,
        "minutes": training_minutes(log),
        "images_per_second": median(entry[speed] for entry in log if speed in entry),
    }
    ends = {name: final_mean(log, f"state/{name}") for name in ("M", "wasserstein")}
    return cost | {name: value for name, value in ends.items() if value is not None}


def training_minutes(log: Log) -> float:
    """Return how long a run was trained, without the time it was stopped."""
    gaps = [after["time"] - before["time"] for before, after in pairwise(log)]
    return sum(gap for gap in gaps if gap <= PAUSE_SECONDS) / 60


def final_mean(log: Log, name: str) -> float | None:
    """Return a figure's mean over the last lines that hold it; `None` where none does."""
    values = [entry[name] for entry in log if name in entry]
    return mean(values[-max(1, round(FINAL_FRACTION * len(values))) :]) if values else None
