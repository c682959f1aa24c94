"""A snapshot of the queue and its metrics, for `/metrics` and `captionfill queue`.

The metrics are fields of one Redis hash, because any API process may be scraped, and so that they
survive a worker. A counter is one field, written by the scripts. A histogram has a field for each
bucket (not cumulative), one for the count and one for the sum; the workers write them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio

from service.config.settings import Settings
from service.queue.jobs import Priority
from service.queue.redis_keys import GROUP, RedisKeys
from service.queue.worker_reports import parse_heartbeats
from service.redis.client import CONNECTION, RedisErrorLog, reason_of

# Inference takes milliseconds on a CPU; a job may wait for minutes.
SECONDS_BUCKETS: tuple[float, ...] = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
)  # fmt: skip
# The upper bounds of each histogram; what is above the last counts as "inf".
BUCKETS: dict[str, tuple[float, ...]] = {
    "batch_size": (1, 2, 4, 8, 16, 32, 64),
    "queue_seconds": SECONDS_BUCKETS,
    "model_seconds": SECONDS_BUCKETS,
}
_errors = RedisErrorLog()
_CONNECTION = {**CONNECTION, "socket_timeout": 2}


@dataclass(frozen=True)
class PriorityStats:
    """Tasks of one priority, of all models: waiting, running, and the age of the oldest."""

    waiting: int
    running: int
    oldest_ms: int


@dataclass(frozen=True)
class QueueStats:
    """The state of the queue. If not ``up``, Redis does not answer and nothing else is known.

    Attributes:
        draining: whether new jobs are refused.
        workers: number of live workers.
        unhealthy: number of live workers with a bundle that takes no tasks.
        counts: fields of the hash of metrics.
        reason: why Redis does not answer, or empty.
    """

    up: bool = False
    draining: bool = False
    priorities: Mapping[str, PriorityStats] = field(default_factory=dict)
    workers: int = 0
    unhealthy: int = 0
    dead_letters: int = 0
    counts: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


async def read_stats(settings: Settings) -> QueueStats:
    """Read the state in two round trips, on a connection of its own.

    The queue's connections may all be busy when its state is of interest.
    """
    keys = RedisKeys(settings.namespace)
    try:
        async with redis.asyncio.Redis.from_url(settings.queue_url, **_CONNECTION) as client:
            pipe: Any = client.pipeline(transaction=False)
            pipe.time().hgetall(keys.metrics).hgetall(keys.workers)
            pipe.xlen(keys.dead_letters).exists(keys.draining).smembers(keys.models)
            found = await pipe.execute(raise_on_error=False)
            time, counts, workers, dead_letters, draining, models = found
            if isinstance(time, Exception):  # the server is still loading its file
                return _unavailable(time)
            names = ["", *sorted(model.decode() for model in models)]
            streams = [
                (priority, keys.stream(priority, name)) for priority in Priority for name in names
            ]
            for _, stream in streams:
                pipe.xlen(stream).xpending(stream, GROUP).xrange(stream, count=1)
            seen = await pipe.execute(raise_on_error=False)
    except (redis.RedisError, OSError) as error:
        return _unavailable(error)
    now = time[0] * 1000 + time[1] // 1000
    stats = [_stream_stats(now, *seen[i : i + 3]) for i in range(0, len(seen), 3)]
    alive = parse_heartbeats(workers, time).values()
    return QueueStats(
        up=True,
        draining=bool(draining),
        priorities={
            str(priority): _sum(
                [one for (of, _), one in zip(streams, stats, strict=True) if of == priority]
            )
            for priority in Priority
        },
        workers=len(alive),
        unhealthy=sum(bool(heartbeat.unhealthy) for heartbeat in alive),
        dead_letters=dead_letters,
        counts={name.decode(): float(value) for name, value in counts.items()},
    )


def _sum(streams: Sequence[PriorityStats]) -> PriorityStats:
    return PriorityStats(
        sum(one.waiting for one in streams),
        sum(one.running for one in streams),
        max(one.oldest_ms for one in streams),
    )


def _unavailable(error: Exception) -> QueueStats:
    _errors.warn(error)
    return QueueStats(reason=reason_of(error))


def _stream_stats(now: int, length: int, pending: Any, first: Sequence[Any]) -> PriorityStats:
    # Without a group (no worker has started yet) all tasks wait.
    running = 0 if isinstance(pending, Exception) else pending["pending"]
    created = int(first[0][0].split(b"-")[0]) if first else now
    return PriorityStats(max(0, length - running), running, now - created)
