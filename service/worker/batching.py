"""When a worker looks for what, and what goes into one batch: policy without model or queue."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from service.queue.jobs import Priority


class Sized(Protocol):
    """Something that takes room in a batch."""

    @property
    def images(self) -> int:
        """How many images the model makes for it."""


T = TypeVar("T", bound=Sized)

# After so much interactive work the next place is for batch work: a ninth of all, at the least.
FAIR_SHARE = 8


@dataclass
class Batcher:
    """Natural batching: take what waits the moment the worker is free, and wait for no company.

    Attributes:
        limit: images in one batch, and jobs taken at a time.
        lease_seconds: dead workers' jobs are looked for twice a lease, and each second.
        clock: seconds, as of `time.monotonic`.
    """

    limit: int
    lease_seconds: float
    clock: Callable[[], float]
    _next_retake: float = field(default=float("-inf"), init=False)
    _interactive_in_a_row: int = field(default=0, init=False)

    def reclaim_due(self) -> bool:
        """Whether to look for jobs of dead workers before new ones."""
        return self.clock() >= self._next_retake

    def record_reclaim(self, found: int) -> None:
        """Take note of a look for dead workers' jobs: after a find there may be more at once."""
        if not found:
            self._next_retake = self.clock() + min(self.lease_seconds / 2, 1.0)

    def poll_timeout(self) -> float:
        """How long to wait for a new job, in seconds: never past the next look."""
        return max(0.001, min(1.0, self._next_retake - self.clock()))

    def read_order(self) -> list[tuple[Priority, int]]:
        """In which order to read the lanes, each with the most jobs to have after it.

        Interactive first and batch for what is left; but after a fair share of interactive jobs
        one place is kept for batch, so that a steady stream of the first starves nobody.
        """
        usual = [(Priority.INTERACTIVE, self.limit), (Priority.BATCH, self.limit)]
        if self._interactive_in_a_row >= FAIR_SHARE:
            return [(Priority.BATCH, 1), *usual]
        return usual

    def record(self, priorities: Sequence[str]) -> None:
        """Take note of the lanes that new jobs came from."""
        if Priority.BATCH in priorities or self._interactive_in_a_row >= FAIR_SHARE:
            self._interactive_in_a_row = 0
        else:
            self._interactive_in_a_row += len(priorities)

    def batches(self, jobs: Sequence[T]) -> Iterator[list[T]]:
        """Split jobs, in order, into batches of at most ``limit`` images.

        A job's candidates stay together: one that alone has more than ``limit`` goes alone.
        """
        batch: list[T] = []
        for job in jobs:
            if batch and sum(one.images for one in batch) + job.images > self.limit:
                yield batch
                batch = []
            batch.append(job)
        if batch:
            yield batch
