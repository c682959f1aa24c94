"""A snapshot of the queue for `/metrics` and `captionfill queue`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio

from service.config.settings import Settings
from service.queue.heartbeat import parse_heartbeats
from service.queue.jobs import Priority
from service.queue.redis_keys import CONNECTION, GROUP, RedisKeys
from service.redis.errors import RedisErrorLog, reason_of

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
        up: whether Redis answers.
        draining: whether new jobs are refused.
        priorities: by name.
        workers: number of live workers.
        unhealthy: number of live workers with a bundle that takes no tasks.
        dead_letters: number of dead letters stored.
        counts: fields of `service.queue.counters`.
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
    streams_stats = [_priority_stats(now, *seen[i : i + 3]) for i in range(0, len(seen), 3)]
    by_priority: dict[str, list[PriorityStats]] = {str(priority): [] for priority in Priority}
    for (priority, _), one in zip(streams, streams_stats, strict=True):
        by_priority[str(priority)].append(one)
    alive = parse_heartbeats(workers, time).values()
    return QueueStats(
        up=True,
        draining=bool(draining),
        priorities={priority: _sum(states) for priority, states in by_priority.items()},
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


def _priority_stats(now: int, length: int, pending: Any, first: Sequence[Any]) -> PriorityStats:
    # Without a group (no worker has started yet) all tasks wait.
    running = 0 if isinstance(pending, Exception) else pending["pending"]
    created = int(first[0][0].split(b"-")[0]) if first else now
    return PriorityStats(max(0, length - running), running, now - created)
