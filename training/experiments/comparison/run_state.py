"""The state of a run at a step, from its log and its monitors' findings."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.common.errors import RunError
from training.monitors.base import Action, read_findings
from training.runs.checkpoint import newest_step
from training.runs.metric_logger import read_log
from training.runs.snapshots import snapshots

# M is as noisy as a batch: its start and end are means over this share of the logged steps.
END = 0.05

Log = Sequence[Mapping[str, float]]


def available_steps(folder: Path) -> list[int]:
    """Return the steps at which a run's generator can be loaded, in order.

    Raises:
        RunError: there is no checkpoint.
    """
    newest = newest_step(folder / "checkpoints")
    if not newest:
        raise RunError(f"{folder}: no checkpoint yet")
    return sorted({*snapshots(folder), newest})


def common_steps(there: Sequence[Sequence[int]]) -> list[int]:
    """Return a step for each run: the last one that all have, else each run's own last."""
    common = set(there[0]).intersection(*there[1:])
    return [max(common)] * len(there) if common else [steps[-1] for steps in there]


def final_state(folder: Path, step: int) -> dict[str, Any]:
    """Return the state of a run at a step.

    Returns:
        `M` (smoothed), `M_start` and `k` of BEGAN, None for other objectives; the monitors'
        `findings` by name, whether it `diverged`, and `why`.
    """
    log = [entry for entry in read_log(folder) if entry["step"] <= step]
    found = [one for one in read_findings(folder) if one["step"] <= step]
    start, end = ends(log, "state/M")
    ks = [entry["state/k"] for entry in log if "state/k" in entry]
    why = divergence(log, found, start, end)
    return {
        "step": step,
        "M": end,
        "M_start": start,
        "k": ks[-1] if ks else None,
        "findings": sorted({f"{one['guard']}: {one['action']}" for one in found}),
        "diverged": bool(why),
        "why": why,
    }


def ends(log: Log, name: str) -> tuple[float | None, float | None]:
    """Return the means of a metric over the first and the last few logged steps."""
    values = [entry[name] for entry in log if name in entry and math.isfinite(entry[name])]
    if not values:
        return None, None
    few = max(1, round(END * len(values)))
    return float(np.mean(values[:few])), float(np.mean(values[-few:]))


def divergence(
    log: Log, found: Sequence[Mapping[str, Any]], start: float | None, end: float | None
) -> str:
    """Return why a run counts as diverged; empty where it does not."""
    stops = [one["message"] for one in found if one["action"] == Action.STOP]
    if stops:
        return f"a guard stopped it: {stops[-1]}"
    if any(not math.isfinite(value) for entry in log for value in entry.values()):
        return "a logged figure is not finite"
    if start is not None and end is not None and end > start:
        return f"M ended at {end:.4f}, above the {start:.4f} it began with"
    return ""
