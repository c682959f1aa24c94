"""A run's metrics: JSON lines for programs, Accelerate's trackers for people."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from captionfill.output_files import write_atomically
from training.common.errors import RunError
from training.config.load import to_table
from training.losses.objectives.base import Metrics
from training.runs.run_dir import RunDir

LOG = "log.jsonl"
TENSORBOARD = "tensorboard"
ONE_IMAGE = ("aim", "clearml")  # trackers that take one image for a key, not a list


class MetricLogger:
    """Writes metrics to `log.jsonl` and to the trackers of `run.trackers`.

    The JSON lines are our own: reports read them, and a resumed run cuts them back to its
    checkpoint, which no tracker but TensorBoard can do.

    Args:
        run: the run directory.
        step: steps done; what an interrupted run logged after them is removed.
    """

    def __init__(self, run: RunDir, step: int) -> None:
        self._run = run
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

    def write_images(self, step: int, images: Mapping[str, Path]) -> None:
        """Send PNG files of a step to the trackers that take images."""
        names = self._run.recipe.run.trackers
        for name, tracker in zip(names, self._trackers, strict=True):
            if hasattr(tracker, "log_images"):
                log_images(name, tracker, step, images)

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
    if name != TENSORBOARD:  # there, each start would add a folder of its own
        tracker.store_init_configuration(flat(to_table(run.recipe)))
    return tracker


def log_images(name: str, tracker: Any, step: int, images: Mapping[str, Path]) -> None:
    """Send PNG files as `samples/NAME`: to some trackers as a batch `(1, H, W, 3)`."""
    arrays = {f"samples/{key}": read_png(path) for key, path in images.items()}
    if name not in ONE_IMAGE:
        arrays = {key: array[None] for key, array in arrays.items()}
    layout = {"dataformats": "NHWC"} if name == TENSORBOARD else {}
    tracker.log_images(arrays, step=step, **layout)


def read_png(path: Path) -> NDArray[np.uint8]:
    """Read an image as `(H, W, 3)`."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str | float]:
    """Return the values of nested tables by dotted keys; lists and None as text."""
    values: dict[str, str | float] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = value if isinstance(value, str | int | float) else str(value)
    return values


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
