"""Roll-back: removes the checkpoints after a problem began."""

import shutil
from pathlib import Path

from training.common.errors import RunError
from training.runs.checkpoint import checkpoints, step_of


def remove_affected_checkpoints(folder: Path, since: int, every: int) -> Path:
    """Remove the checkpoints since the last observation without a problem.

    The problem began between that observation and `since`. Where no checkpoint is older, those from
    `since` on are removed.

    Raises:
        RunError: none is from before `since`; nothing was removed.
    """
    vouched = since - every + 1
    oldest = min((step_of(place) for place in checkpoints(folder)), default=since)
    return remove_checkpoints_from(folder, vouched if oldest < vouched else since)


def remove_checkpoints_from(folder: Path, step: int) -> Path:
    """Remove the checkpoints of `step` and later, and return the newest that is left.

    Args:
        folder: of the checkpoints.
        step: first step of the problem (`Finding.since`).

    Raises:
        RunError: none is from before; nothing was removed.
    """
    found = checkpoints(folder)
    good = [place for place in found if step_of(place) < step]
    if not good:
        raise RunError(f"no checkpoint from before step {step} to roll back to in {folder}")
    for place in found[len(good) :]:
        shutil.rmtree(place)
    return good[-1]
