"""A run's metrics: JSON lines for programs, Accelerate's trackers for people."""

import json
import time
from pathlib import Path
from typing import Any

from captionfill.output_files import write_atomically
from training.common.errors import RunError
from training.losses.objectives.base import Metrics
from training.runs.run_dir import RunDir

LOG = "log.jsonl"
TENSORBOARD = "tensorboard"


class MetricLogger:
    """Writes metrics to `log.jsonl` and to the trackers of `run.trackers`.

    The JSON lines are our own: reports read them, and a resumed run cuts them back to its
    checkpoint, which no tracker but TensorBoard can do.

    Args:
        run: the run directory.
        step: steps done; what an interrupted run logged after them is removed.
    """

    def __init__(self, run: RunDir, step: int) -> None:
        path = run.folder / LOG
        truncate_log(path, step)
        self._file = path.open("a", encoding="utf-8")
        self._trackers = [start_tracker(name, run, step) for name in run.recipe.run.trackers]

    def write(self, step: int, metrics: Metrics) -> None:
        """Log the metrics of a step; trackers group them by what stands before the slash."""
        self._file.write(json.dumps({"step": step, "time": time.time(), **metrics}) + "\n")
        self._file.flush()
        for tracker in self._trackers:
            tracker.log(metrics, step=step)

    def close(self) -> None:
        """Close the file and the trackers."""
        self._file.close()
        for tracker in self._trackers:
            tracker.finish()


def start_tracker(name: str, run: RunDir, step: int) -> Any:
    """Start one of Accelerate's trackers; TensorBoard writes to `tensorboard/` in the run."""
    # Loaded when a training starts: nothing else needs it.
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS  # noqa: PLC0415

    kind = LOGGER_TYPE_TO_CLASS[name]
    if name == TENSORBOARD:
        tracker = kind(TENSORBOARD, run.folder, purge_step=step + 1)
    elif kind.requires_logging_directory:
        tracker = kind(run.folder.resolve().name, run.folder)
    else:
        tracker = kind(run.folder.resolve().name)
    tracker.start()
    return tracker


def check_trackers(names: tuple[str, ...]) -> None:
    """Check that the packages of trackers are installed.

    Raises:
        RunError: names the first that is not.
    """
    from accelerate.tracking import get_available_trackers  # noqa: PLC0415

    available = {str(getattr(kind, "value", kind)) for kind in get_available_trackers()}
    for name in names:
        if name not in available:
            raise RunError(f"run.trackers: the package of {name!r} is not installed")


def read_log(folder: Path) -> list[dict[str, float]]:
    """Read a run's log; a last line cut short by a kill is skipped."""
    lines = (folder / LOG).read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line.endswith("}")]


def truncate_log(path: Path, step: int) -> None:
    """Remove the lines after `step`."""
    if not path.exists():
        return
    kept = [entry for entry in read_log(path.parent) if entry["step"] <= step]
    write_atomically(path, "".join(json.dumps(entry) + "\n" for entry in kept))
