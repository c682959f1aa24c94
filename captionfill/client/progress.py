"""A progress bar of a batch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Show = Callable[[dict[str, Any]], dict[str, Any]]


@contextmanager
def progress_bar(total: int, *, enabled: bool) -> Iterator[Show]:
    """Give a function that shows a batch's status on standard error and returns it."""
    if not enabled:
        yield lambda batch: batch
        return
    from tqdm import tqdm  # noqa: PLC0415 - needed for the bar alone

    with tqdm(total=total, unit="image") as bar:

        def show(batch: dict[str, Any]) -> dict[str, Any]:
            counts = batch["counts"]
            unfinished = counts.get("queued", 0) + counts.get("running", 0)
            bar.update(total - unfinished - bar.n)
            return batch

        yield show
