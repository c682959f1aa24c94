"""Waiting for a condition, in place of sleeping for as long as it usually takes."""

import time
from collections.abc import Callable

# More than a busy machine needs: only a test that fails waits for so long.
SECONDS = 60.0


def eventually(true: Callable[[], object], seconds: float = SECONDS, pause: float = 0.02) -> bool:
    """Ask again and again until the answer is true; whether it is in the end."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
