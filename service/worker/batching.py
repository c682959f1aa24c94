"""The batching policy: which tasks to read next, and how to split them into batches.

It takes a clock and needs neither a model nor a queue.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from service.queue.jobs import Priority
from service.queue.task import Lease

# After this many interactive tasks one place is kept for a batch task: a share of one ninth.
FAIR_SHARE = 8


@dataclass
class Batcher:
    """Natural batching: an idle worker takes what is waiting and does not wait for more.

    The limit is that of images in one batch, and of tasks taken at a time. Abandoned tasks are
    looked for twice a lease, at least once a second. The clock is in seconds.
    """

    limit: int
    lease_seconds: float
    clock: Callable[[], float]
    _next_reclaim: float = field(default=float("-inf"), init=False)
    _interactive_in_a_row: int = field(default=0, init=False)

    def reclaim_due(self) -> bool:
        """Whether to look for abandoned tasks before new ones."""
        return self.clock() >= self._next_reclaim

    def record_reclaim(self, found: int) -> None:
        """Record a look for abandoned tasks. If one was found, the next look is due at once."""
        if not found:
            self._next_reclaim = self.clock() + min(self.lease_seconds / 2, 1.0)

    def poll_timeout(self) -> float:
        """Return how long to wait for a new task [s]: not past the next look for abandoned ones."""
        return max(0.001, min(1.0, self._next_reclaim - self.clock()))

    def read_order(self) -> list[tuple[Priority, int]]:
        """Return the order of priorities, each with the most tasks to have after reading it.

        Interactive tasks come first, batch tasks fill the rest. After `FAIR_SHARE` interactive
        tasks one place is kept for a batch task, so that these are not starved.
        """
        usual = [(Priority.INTERACTIVE, self.limit), (Priority.BATCH, self.limit)]
        if self._interactive_in_a_row >= FAIR_SHARE:
            return [(Priority.BATCH, 1), *usual]
        return usual

    def record(self, priorities: Sequence[str]) -> None:
        """Record the priorities of the tasks that were taken."""
        if Priority.BATCH in priorities or self._interactive_in_a_row >= FAIR_SHARE:
            self._interactive_in_a_row = 0
        else:
            self._interactive_in_a_row += len(priorities)

    def batches(self, leases: Sequence[Lease]) -> Iterator[list[Lease]]:
        """Split tasks, in order, into batches of at most ``limit`` images.

        The candidates of a task stay together. A task of more than ``limit`` images is alone.
        """
        batch: list[Lease] = []
        for lease in leases:
            if batch and sum(one.images for one in batch) + lease.images > self.limit:
                yield batch
                batch = []
            batch.append(lease)
        if batch:
            yield batch
