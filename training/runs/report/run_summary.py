"""Summary of a run, read from the files of its directory alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from training.common.errors import RunError
from training.monitors.base import read_findings
from training.runs.checkpoints.best_checkpoint import BEST
from training.runs.checkpoints.best_checkpoint import RECORD as BEST_RECORD
from training.runs.metric_logger import LOG, read_log
from training.runs.run_dir import RECORD

SAMPLE = re.compile(r"(?P<name>.+)-(?P<step>\d+)\.png")
# Sub-folders whose JSON files are no results.
NO_RESULTS = {"checkpoints", "tensorboard"}


@dataclass(frozen=True)
class RunSummary:
    """A run as a report shows it.

    Attributes:
        record: `run.json`: recipe, data digests, revision, library versions.
        log: entries of `log.jsonl`, oldest first.
        findings: entries of `findings.jsonl`.
        grids: (name, step, path) of each kind's first and newest sample grid.
        results: by path, JSON results with `rows`, as `evaluate` writes them.
        best: record of the best checkpoint, if there is one.
    """

    folder: Path
    record: dict[str, Any]
    log: list[dict[str, float]]
    findings: list[dict[str, Any]]
    grids: list[tuple[str, int, Path]]
    results: dict[Path, dict[str, Any]]
    best: dict[str, Any] | None

    @property
    def recipe(self) -> dict[str, Any]:
        """The resolved recipe."""
        return dict(self.record["recipe"])

    def summary(self) -> dict[str, str]:
        """Return the main facts by name."""
        best, best_text = self.best, "–"
        if best:
            best_text = f"{best['metric']} {best['value']:.4g} at step {best['step']}"
        run, steps = self.recipe["run"], int(self.log[-1]["step"]) if self.log else 0
        turns = self.recipe.get("optimizers", {}).get("critic_steps", 1)
        times = [entry["time"] for entry in self.log]
        speeds = [e["time/images_per_second"] for e in self.log if "time/images_per_second" in e]
        return {
            "recipe": self.recipe["name"],
            "steps logged": f"{steps:,} of {run['steps']:,}",
            "pictures seen": f"{steps * run['batch_size'] * turns:,}",
            "minutes logged": f"{(times[-1] - times[0]) / 60:.1f}" if times else "–",
            "images/s, median": f"{median(speeds):.1f}" if speeds else "–",
            "best checkpoint": best_text,
            "findings": str(len(self.findings)),
        }


def read_run(folder: Path) -> RunSummary:
    """Read a run directory, of a run that is done or under way.

    Raises:
        RunError: no run there, or its record cannot be read.
    """
    record = read_record(folder)
    best = folder / "checkpoints" / BEST / BEST_RECORD
    return RunSummary(
        folder=folder,
        record=record,
        log=read_log(folder) if (folder / LOG).exists() else [],
        findings=read_findings(folder),
        grids=list(first_and_newest(folder / "samples")),
        results=dict(read_results(folder)),
        best=json.loads(best.read_text(encoding="utf-8")) if best.exists() else None,
    )


def read_record(folder: Path) -> dict[str, Any]:
    """Read `run.json`; raise `RunError` if it lacks what the report needs."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        recipe = record["recipe"]
        int(recipe["run"]["steps"]), int(recipe["run"]["batch_size"]), str(recipe["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"no run in {folder}: {error}") from error
    return record


def first_and_newest(samples: Path) -> Iterator[tuple[str, int, Path]]:
    """Find the first and the newest sample grid of each kind, as (name, step, path)."""
    kinds: dict[str, list[tuple[str, int, Path]]] = {}
    for path in sorted(samples.glob("*.png")):
        if match := SAMPLE.fullmatch(path.name):
            found = (match["name"], int(match["step"]), path)
            kinds.setdefault(match["name"], []).append(found)
    for found_grids in kinds.values():
        yield from dict.fromkeys((found_grids[0], found_grids[-1]))


def read_results(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Find the JSON files with a table in `rows`; other files are ignored."""
    for path in sorted(folder.rglob("*.json")):
        if NO_RESULTS & set(path.relative_to(folder).parts) or path.name == RECORD:
            continue
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        if isinstance(result, dict) and isinstance(result.get("rows"), list):
            yield path.relative_to(folder), result
