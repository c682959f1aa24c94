"""Roll back: forget the checkpoints that trouble has touched."""

import shutil
from pathlib import Path

from training.checkpoint import checkpoints
from training.errors import RunError


def forget_from(folder: Path, step: int) -> Path:
    """Remove the checkpoints of `step` and later, and return the newest that is left.

    Args:
        folder: of the checkpoints.
        step: at which the trouble was first seen (`Finding.since`).

    Raises:
        RunError: none is from before; nothing was removed.
    """
    found = checkpoints(folder)
    good = [place for place in found if int(place.name.removeprefix("step-")) < step]
    if not good:
        raise RunError(f"no checkpoint from before step {step} to roll back to in {folder}")
    for place in found[len(good) :]:
        shutil.rmtree(place)
    return good[-1]
