"""Ctrl-C and SIGTERM between steps, never in the middle of one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def defer_signals() -> Iterator[Callable[[], bool]]:
    """Defer SIGINT and SIGTERM; the callable returns whether one was received.

    Half a step has updated one network and not the other, and a checkpoint of that could not resume
    exactly. A second signal raises KeyboardInterrupt at once. Outside the main thread, where Python
    handles no signals, nothing is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received = False

    def defer(_number: int, _frame: object) -> None:
        nonlocal received
        if received:
            raise KeyboardInterrupt
        received = True

    before = {number: signal.signal(number, defer) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
