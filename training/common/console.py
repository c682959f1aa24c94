"""Progress for people: bars on a terminal, a line now and then in a log file."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

StageProgress = Callable[[str, int, int | None], None]
LINE_SECONDS = 30.0


@contextmanager
def stage_progress() -> Iterator[StageProgress]:
    """Show how far each stage is; call with its name, how many are done, of how many."""
    if not is_main_process():
        yield lambda stage, done, total: None
        return
    if not sys.stderr.isatty():
        yield line_progress()
        return
    tasks = {}
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    bars = Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True))

    def tell(stage: str, done: int, total: int | None) -> None:
        bars.start()  # only now: an error before any work leaves no empty bar
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
        bars.update(tasks[stage], completed=done, total=total)

    try:
        yield tell
    finally:
        bars.stop()


@contextmanager
def step_progress(steps: int) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """Show how far a training is."""
    with stage_progress() as progress:
        yield lambda step, figures: progress("training", step, steps)


def is_main_process() -> bool:
    """Say whether this is rank 0, the one that writes and tells; alone one is.

    By what a launcher sets, so that it can be asked before anything heavy is imported.
    """
    return os.environ.get("RANK", "0") == "0"


def print_stderr(message: object) -> None:
    """Write a line on stderr; it stands above the bar where one is drawn."""
    print(message, file=sys.stderr, flush=True)


def line_progress() -> StageProgress:
    """Return a progress that writes a line at a stage's end and every half minute."""
    last = time.monotonic()

    def tell(stage: str, done: int, total: int | None) -> None:
        nonlocal last
        if done == total or time.monotonic() - last > LINE_SECONDS:
            last = time.monotonic()
            print(f"{stage}: {done} of {total or 'unknown'}", file=sys.stderr, flush=True)

    return tell
