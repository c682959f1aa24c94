"""A run's log: JSON lines for programs, TensorBoard for people."""

import json
import time
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from training.common.output_files import write_atomically

LOG = "log.jsonl"


class MetricLogger:
    """Writes each figure to `log.jsonl` and to TensorBoard.

    On resume, lines that an interrupted run wrote after its last checkpoint are dropped, so the
    log reads as if the run had never stopped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / LOG
        self._open(step)

    def _open(self, step: int) -> None:
        truncate_log(self.path, step)
        self._file = self.path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(self.path.parent / "tensorboard"), purge_step=step)

    def truncate(self, step: int) -> None:
        """Drop what was logged after a step, and go on from there."""
        self.close()
        self._open(step)

    def write(self, step: int, figures: dict[str, float]) -> None:
        """Log figures for a step; grouped in TensorBoard by what stands before the slash."""
        self._file.write(json.dumps({"step": step, "time": time.time(), **figures}) + "\n")
        self._file.flush()
        for name, value in figures.items():
            self._board.add_scalar(name, value, step)

    def picture(self, step: int, name: str, pixels: Any) -> None:
        """Show a uint8 `(3, H, W)` picture in TensorBoard."""
        self._board.add_image(name, pixels, step)

    def close(self) -> None:
        """Flush both."""
        self._file.close()
        self._board.close()


class NullLogger:
    """What ranks other than 0 write: nothing."""

    def truncate(self, step: int) -> None:
        """Drop nothing."""

    def write(self, step: int, figures: dict[str, float]) -> None:
        """Log nothing."""

    def close(self) -> None:
        """Nothing is open."""


def read_log(folder: Path) -> list[dict[str, float]]:
    """Read a run's log back; a last line cut short by a kill is passed over."""
    lines = (folder / LOG).read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line.endswith("}")]


def truncate_log(path: Path, step: int) -> None:
    """Drop what was logged after `step`."""
    if not path.exists():
        return
    kept = [entry for entry in read_log(path.parent) if entry["step"] <= step]
    write_atomically(path, "".join(json.dumps(entry) + "\n" for entry in kept))
