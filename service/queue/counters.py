"""What the queue and the workers count, and how: fields of one Redis hash, `{ns}:metrics`.

The counts live in Redis because any API process is asked for them, and because a worker that was
killed must not take its counts with it. A counter is one field. A histogram is a field for each
bucket (its own observations alone; the reader adds them up), one for the count, one for the sum.
This module knows no Prometheus: a worker needs none. The Lua scripts write the same fields by the
values of `Counter`.
"""

from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

BATCH_BUCKETS: tuple[float, ...] = (1, 2, 4, 8, 16, 32, 64)
# A CPU fills in a few milliseconds; a queue may keep a job for minutes.
SECONDS_BUCKETS: tuple[float, ...] = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
)  # fmt: skip


class Counter(StrEnum):
    """Counters, by their field in the hash. One `HINCRBY` each, in scripts too."""

    ACCEPTED = "accepted"  # jobs put into a lane
    DONE = "done"  # jobs by how they ended
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOST = "lost"  # jobs whose records Redis no longer had
    DROPPED = "dropped"  # entries skipped before the model: nobody waits for them any more
    COALESCED = "coalesced"  # jobs that joined equal work in flight
    CACHED = "cached"  # jobs answered from a kept result
    RECLAIMED = "reclaimed"  # leases taken over from a silent worker
    RETURNED = "returned"  # leases handed back by a worker that drains
    DEAD_LETTERS = "dead_letters"
    HOOKS_DELIVERED = "hooks_delivered"
    HOOKS_RETRIED = "hooks_retried"
    HOOKS_ABANDONED = "hooks_abandoned"


class Histogram(StrEnum):
    """Histograms, by the beginning of their fields in the hash."""

    BATCH_SIZE = "batch_size"  # images in a batch, BATCH_BUCKETS
    QUEUE_SECONDS = "queue_seconds"  # from acceptance to the model, of each job
    MODEL_SECONDS = "model_seconds"  # of each batch


BUCKETS: dict[str, tuple[float, ...]] = {
    Histogram.BATCH_SIZE: BATCH_BUCKETS,
    Histogram.QUEUE_SECONDS: SECONDS_BUCKETS,
    Histogram.MODEL_SECONDS: SECONDS_BUCKETS,
}


def count(pipeline: Any, key: str, name: str, by: int = 1) -> None:
    """Add to a counter.

    Args:
        pipeline: a redis-py pipeline (or client), synchronous or not.
        key: of the hash.
        name: a `Counter`.
        by: how much.
    """
    pipeline.hincrby(key, str(name), by)


def observe(pipeline: Any, key: str, name: str, value: float, buckets: Sequence[float]) -> None:
    """Add one observation to a histogram: its bucket, its count and its sum.

    Args:
        pipeline: a redis-py pipeline, synchronous or not.
        key: of the hash.
        name: a `Histogram`.
        value: seconds, or images; the bucket is the first whose bound is not below it.
        buckets: the upper bounds, ascending; what is above the last counts as ``inf``.
    """
    pipeline.hincrby(key, bucket_field(name, buckets, value), 1)
    pipeline.hincrby(key, f"{name}:count", 1)
    pipeline.hincrbyfloat(key, f"{name}:sum", value)


def bucket_field(name: str, buckets: Sequence[float], value: float) -> str:
    """The hash's field for the bucket that a value falls into."""
    place = bisect_left(buckets, value)
    return f"{name}:le:{buckets[place]:g}" if place < len(buckets) else f"{name}:le:inf"
