"""Compares inpainting runs that each change something of the first one, at equal steps."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.common.errors import RunError
from training.experiments.comparison.columns import Column, bar_chart, markdown_rows
from training.experiments.comparison.config_diff import changes_of_runs, in_words
from training.experiments.comparison.fills import KID_COLUMN, figures_table, measure_runs
from training.experiments.comparison.runs import (
    Comparison,
    Request,
    by_name,
    fills_grid,
    load_inpainting_run,
)
from training.monitors.base import Action, read_findings
from training.runs.checkpoints.checkpoint import newest_step
from training.runs.checkpoints.snapshots import snapshots
from training.runs.load_run import NEWEST, LoadedRun
from training.runs.metric_logger import read_log
from training.runs.report.curves import Log
from training.runs.run_dir import RunDir

# M is as noisy as a batch: its start and end are means over this share of the logged steps.
END = 0.05
ABLATION_TABLE = (
    Column("run", "run"),
    Column("changed", "changed"),
    Column("step", "steps"),
)
ABLATION_FIGURES = (
    Column("hole_psnr", "hole-PSNR, dB ↑"),
    Column("to_base", "hole-PSNR to the base, paired, dB ↑", 3),
    KID_COLUMN,
    Column("seam_ratio", "seam ratio (1 = real)", 3, reference=1),
    Column("square_ratio", "square ratio (1 = real)", 3, reference=1),
    Column("contrast", "contrast (1 = real)", 3, reference=1),
    Column("draws_differ_features", "draws differ, features ↑", 3),
    Column("M", "M_global at the end ↓", 4),
    Column("k", "k at the end", 4),
)


def compare_ablation(request: Request) -> Comparison:
    """Compare runs that each change something of the first: the changes and their effect.

    All runs are loaded at the last step that they share; without one, each at its own last step.
    """
    changes = changes_of_runs([RunDir.open(folder) for folder in request.folders])
    steps = common_steps([available_steps(folder) for folder in request.folders])
    runs = by_name(
        load_at_step(folder, step, *request.data)
        for folder, step in zip(request.folders, steps, strict=True)
    )
    _, pictures, measured, results = measure_runs(runs, request)
    by_run = dict(zip(runs, changes, strict=True))
    ends = {name: final_state(run.run.folder, run.step) for name, run in runs.items()}
    rows = []
    for name, figures in results["figures"].items():
        to_base = results["differences"].get(name, {}).get("hole_psnr")
        facts = {"run": name, "changed": in_words(by_run[name]), "to_base": to_base}
        rows.append({**facts, **figures, **ends[name], "why": ends[name]["why"] or "no"})
    results |= {
        "changes": {
            name: {key: {"base": old, "here": new} for key, (old, new) in changed.items()}
            for name, changed in by_run.items()
        },
        "equal_steps": len(set(steps)) == 1,
        "ends": ends,
    }
    fills = {name: metrics.fills for name, metrics in measured.items()}
    grid = fills_grid(pictures, fills, range(request.rows), pictures.captions)
    columns = (*ABLATION_TABLE, *ABLATION_FIGURES, Column("why", "diverged"))
    table = f"{markdown_rows(columns, rows)}\n\n{figures_table(results)}"
    chart = bar_chart(ABLATION_FIGURES, rows, base=next(iter(runs)))
    return Comparison([*runs.values()], results, table, chart, {"fills": grid})


def load_at_step(folder: Path, step: int, *data: Path | None) -> LoadedRun:
    """Load a run at a step: the newest checkpoint if it is of that step, else the snapshot."""
    newest = load_inpainting_run(folder, NEWEST, *data)
    return newest if newest.step == step else load_inpainting_run(folder, str(step), *data)


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

    `M` (smoothed), `M_start` and `k` are BEGAN's, None for other objectives. `findings` are the
    monitors', by name; `why` says why it counts as `diverged`.
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
        return f"a monitor stopped it: {stops[-1]}"
    if any(not math.isfinite(value) for entry in log for value in entry.values()):
        return "a logged figure is not finite"
    if start is not None and end is not None and end > start:
        return f"M ended at {end:.4f}, above the {start:.4f} it began with"
    return ""
