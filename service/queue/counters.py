"""Counters and histograms of the queue: fields of one Redis hash, `{namespace}:metrics`.

They are in Redis because any API process may be scraped, and so that they survive a worker. A
counter is one field. A histogram has a field for each bucket (not cumulative), one for the count
and one for the sum. The Lua scripts write the same fields by the values of `Counter`.
"""

from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

BATCH_BUCKETS: tuple[float, ...] = (1, 2, 4, 8, 16, 32, 64)
# Inference takes milliseconds on a CPU; a job may wait for minutes.
SECONDS_BUCKETS: tuple[float, ...] = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
)  # fmt: skip


class Counter(StrEnum):
    """Counters, by their field in the hash. One `HINCRBY` each, in scripts too."""

    ACCEPTED = "accepted"  # jobs accepted
    DONE = "done"  # jobs by final state
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOST = "lost"  # jobs whose records Redis lost
    DROPPED = "dropped"  # tasks removed before inference: no job waits for them
    COALESCED = "coalesced"  # jobs that joined an equal task in the queue
    CACHED = "cached"  # jobs answered by a stored result
    RECLAIMED = "reclaimed"  # leases reclaimed from a silent worker
    RETURNED = "returned"  # leases released by a worker
    DEAD_LETTERS = "dead_letters"
    HOOKS_DELIVERED = "hooks_delivered"
    HOOKS_RETRIED = "hooks_retried"
    HOOKS_ABANDONED = "hooks_abandoned"


class Histogram(StrEnum):
    """Histograms, by the prefix of their fields in the hash."""

    BATCH_SIZE = "batch_size"  # images in a batch, BATCH_BUCKETS
    QUEUE_SECONDS = "queue_seconds"  # from acceptance of a job to inference
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
    """Return the field of the bucket of a value."""
    place = bisect_left(buckets, value)
    return f"{name}:le:{buckets[place]:g}" if place < len(buckets) else f"{name}:le:inf"
