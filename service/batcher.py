"""When a worker looks for what, and what goes into one batch: policy without model or queue."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from service.jobs import Job


@dataclass
class Batcher:
    """Natural batching: take what waits the moment the worker is free, and wait for no company.

    Attributes:
        limit: images in one batch, and jobs taken at a time.
        lease_seconds: dead workers' jobs are looked for twice a lease.
        clock: seconds, as of `time.monotonic`.
    """

    limit: int
    lease_seconds: float
    clock: Callable[[], float]
    _next_retake: float = field(default=float("-inf"), init=False)

    def retake_due(self) -> bool:
        """Whether to look for jobs of dead workers before new ones."""
        return self.clock() >= self._next_retake

    def retook(self, found: int) -> None:
        """Take note of a look for dead workers' jobs: after a find there may be more at once."""
        if not found:
            self._next_retake = self.clock() + self.lease_seconds / 2

    def patience(self) -> float:
        """How long to wait for a new job, in seconds: never past the next look."""
        return max(0.001, min(1.0, self._next_retake - self.clock()))

    def batches(self, jobs: Sequence[Job]) -> Iterator[list[Job]]:
        """Split jobs, in order, into batches of at most ``limit`` images.

        A job's candidates stay together: one that alone has more than ``limit`` goes alone.
        """
        batch: list[Job] = []
        for job in jobs:
            if batch and sum(one.count for one in batch) + job.count > self.limit:
                yield batch
                batch = []
            batch.append(job)
        if batch:
            yield batch
