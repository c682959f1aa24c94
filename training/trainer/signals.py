"""Ctrl-C and SIGTERM between steps, never in the middle of one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def defer_signals() -> Iterator[Callable[[], bool]]:
    """Hold SIGINT and SIGTERM back; the callable tells whether one has come.

    A step half done has moved one player and not the other, and a checkpoint of that could not
    resume exactly. A second signal is not held back: it raises KeyboardInterrupt at once. Outside
    the main thread, where Python handles no signals, nothing is held.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    came = False

    def hold(_number: int, _frame: object) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
