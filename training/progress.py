"""Progress bars for people; in a log file they become a line now and then."""

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


def bar() -> Progress:
    """Return a bar with count, time spent and time left, on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def stage_progress() -> Iterator[StageProgress]:
    """Show one bar a stage; call with its name, how many are done, of how many."""
    tasks = {}
    with bar() as progress:

        def tell(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield tell


@contextmanager
def step_progress(steps: int) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """Show a training's bar with its speed and terms."""
    with bar() as progress:
        task = progress.add_task("training", total=steps)

        def tell(step: int, figures: dict[str, float]) -> None:
            speed = figures["time/images_per_second"]
            progress.update(task, completed=step, description=f"training, {speed:.0f} images/s")

        yield tell
