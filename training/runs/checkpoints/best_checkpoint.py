"""The best evaluation of a run so far, and its checkpoint."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.common.errors import RunError
from training.runs.checkpoints.checkpoint import checkpoints, put_in_place

BEST, RECORD = "best", "best.json"
# Metric -> whether more of it is better.
METRICS = {"kid": False, "hole_psnr": True}


@dataclass
class BestRecord:
    """The best evaluation of a run by a metric: its value, `None` before the first, and its step.

    Its state is plain numbers and part of each checkpoint.
    """

    metric: str
    value: float | None = None
    step: int = 0

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise RunError(f"no metric {self.metric!r} to keep the best by; there are {[*METRICS]}")

    def update(self, step: int, figures: Mapping[str, float]) -> bool:
        """Add an evaluation, and return whether it is the best so far; `figures` may lack it."""
        value = figures.get(self.metric)
        if value is None:
            return False
        sign = 1 if METRICS[self.metric] else -1
        if self.value is not None and sign * value <= sign * self.value:
            return False
        self.value, self.step = value, step
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the metric, the best value and its step."""
        return {"metric": self.metric, "value": self.value, "step": self.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what `state_dict` returned; a state of another metric is ignored."""
        if state.get("metric") == self.metric:
            self.value, self.step = state["value"], state["step"]


def save_best(folder: Path, best: BestRecord) -> Path:
    """Copy the newest checkpoint to `folder/best`, with its record `best.json`.

    Raises:
        RunError: the newest checkpoint is not of the best step.
    """
    newest = checkpoints(folder)[-1:]
    if not newest or newest[0].name != f"step-{best.step:08d}":
        raise RunError(f"no checkpoint of step {best.step} in {folder} to keep as the best")
    draft, final = folder / f".draft-best-{os.getpid()}", folder / BEST
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(newest[0], draft)
    (draft / RECORD).write_text(json.dumps(best.state_dict()) + "\n", encoding="utf-8")
    put_in_place(draft, final)
    shutil.rmtree(draft, ignore_errors=True)
    return final
