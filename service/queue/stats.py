"""The queue at one moment, for whoever watches it: `/metrics` and `captionfill queue`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio

from service.config.settings import Settings
from service.queue.jobs import Priority
from service.queue.redis_keys import ALIVE_MS, CONNECTION, GROUP, RedisKeys
from service.redis.errors import RedisErrorLog, reason_of

# Who watches does not wait as long as who works.
_errors = RedisErrorLog()
_CONNECTION = {**CONNECTION, "socket_timeout": 2}


@dataclass(frozen=True)
class PriorityStats:
    """A lane of the queue, of all models: work waiting and running, and the age of the oldest."""

    waiting: int
    running: int
    oldest_ms: int


@dataclass(frozen=True)
class QueueStats:
    """The queue at one moment. Not ``up``: Redis does not answer, and nothing is known.

    Attributes:
        up: whether Redis answers.
        draining: no new job is taken.
        lanes: by name.
        workers: that were heard of lately.
        unhealthy: those of them that leave work to others, since a bundle of theirs failed.
        dead_letters: number of dead letters stored.
        counts: the fields of `service.queue.counters`.
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
    """Look at the queue, in two round trips and on a connection of its own.

    The queue's own connections may all be taken, and that is just when somebody looks.
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
                return _away(time)
            names = ["", *sorted(model.decode() for model in models)]
            streams = [
                (priority, keys.stream(priority, name)) for priority in Priority for name in names
            ]
            for _, stream in streams:
                pipe.xlen(stream).xpending(stream, GROUP).xrange(stream, count=1)
            seen = await pipe.execute(raise_on_error=False)
    except (redis.RedisError, OSError) as error:
        return _away(error)
    now = time[0] * 1000 + time[1] // 1000
    looked = [_lane(now, *seen[i : i + 3]) for i in range(0, len(seen), 3)]
    by_lane: dict[str, list[PriorityStats]] = {str(priority): [] for priority in Priority}
    for (priority, _), one in zip(streams, looked, strict=True):
        by_lane[str(priority)].append(one)
    heartbeats = [json.loads(heartbeat) for heartbeat in workers.values()]
    alive = [heartbeat for heartbeat in heartbeats if now - heartbeat["at"] < ALIVE_MS]
    return QueueStats(
        up=True,
        draining=bool(draining),
        priorities={priority: _together(states) for priority, states in by_lane.items()},
        workers=len(alive),
        unhealthy=sum(bool(heartbeat.get("unhealthy")) for heartbeat in alive),
        dead_letters=dead_letters,
        counts={name.decode(): float(value) for name, value in counts.items()},
    )


def _together(streams: Sequence[PriorityStats]) -> PriorityStats:
    return PriorityStats(
        sum(one.waiting for one in streams),
        sum(one.running for one in streams),
        max(one.oldest_ms for one in streams),
    )


def _away(error: Exception) -> QueueStats:
    _errors.warn(error)
    return QueueStats(reason=reason_of(error))


def _lane(now: int, length: int, pending: Any, first: Sequence[Any]) -> PriorityStats:
    # No group yet, as no worker has ever come: all of it waits.
    running = 0 if isinstance(pending, Exception) else pending["pending"]
    came = int(first[0][0].split(b"-")[0]) if first else now
    return PriorityStats(max(0, length - running), running, now - came)
