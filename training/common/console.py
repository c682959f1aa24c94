"""Console output: progress bars on a terminal, and a line every half minute elsewhere."""

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
NotedProgress = Callable[[str, int, int | None, str], None]  # with a note behind the stage
LINE_SECONDS = 30.0


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Report no progress."""


@contextmanager
def stage_progress() -> Iterator[StageProgress]:
    """Show the progress of stages; call with a stage's name, items done and items in all."""
    with noted_progress() as show:
        yield lambda stage, done, total: show(stage, done, total, "")


@contextmanager
def noted_progress() -> Iterator[NotedProgress]:
    """Show the progress of stages, each with a note."""
    if not is_main_process():
        yield lambda stage, done, total, note: None
        return
    if not sys.stderr.isatty():
        yield line_progress()
        return
    tasks = {}
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    bars = Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True))

    def update(stage: str, done: int, total: int | None, note: str) -> None:
        bars.start()  # only now: an error before any work leaves no empty bar
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
        bars.update(tasks[stage], completed=done, total=total, description=f"{stage} {note}")

    try:
        yield update
    finally:
        bars.stop()


@contextmanager
def step_progress(steps: int) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """Show the progress of a training, with the losses of the last step."""
    with noted_progress() as show:
        yield lambda step, metrics: show("training", step, steps, losses(metrics))


def losses(metrics: dict[str, float]) -> str:
    """Return the loss of each network, the sum of its terms, in words."""
    sums = {
        network: sum(value for name, value in metrics.items() if name.startswith(f"{network}/"))
        for network in ("generator", "discriminator")
        if any(name.startswith(f"{network}/") for name in metrics)
    }
    return ", ".join(f"{network} {value:.4g}" for network, value in sums.items())


def is_main_process() -> bool:
    """Return whether this process is rank 0, which alone writes files and messages.

    It reads the launcher's variable, so that torch need not be imported.
    """
    return os.environ.get("RANK", "0") == "0"


def print_stderr(message: object) -> None:
    """Write a line to stderr, above a progress bar."""
    print(message, file=sys.stderr, flush=True)


def line_progress() -> NotedProgress:
    """Return a progress function that writes a line every half minute and at a stage's end."""
    last = time.monotonic()

    def update(stage: str, done: int, total: int | None, note: str) -> None:
        nonlocal last
        if done == total or time.monotonic() - last > LINE_SECONDS:
            last = time.monotonic()
            more = f", {note}" if note else ""
            print(f"{stage}: {done} of {total or 'unknown'}{more}", file=sys.stderr, flush=True)

    return update
