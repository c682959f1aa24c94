"""The queue at one moment, for whoever watches it: `/metrics` and `captionfill queue`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio

from service.jobs import Lane
from service.keys import ALIVE_MS, CONNECTION, GROUP, Keys
from service.settings import Settings

# Who watches does not wait as long as who works.
_CONNECTION = {**CONNECTION, "socket_timeout": 2}


@dataclass(frozen=True)
class LaneState:
    """A lane of the queue: work waiting, work running, and milliseconds since the oldest came."""

    waiting: int
    running: int
    oldest_ms: int


@dataclass(frozen=True)
class QueueState:
    """The queue at one moment. Not ``up``: Redis does not answer, and nothing is known.

    Attributes:
        up: whether Redis answers.
        draining: no new job is taken.
        lanes: by name.
        workers: that were heard of lately.
        dead: letters kept.
        counts: the fields of `service.metrics_names`.
    """

    up: bool = False
    draining: bool = False
    lanes: Mapping[str, LaneState] = field(default_factory=dict)
    workers: int = 0
    dead: int = 0
    counts: Mapping[str, float] = field(default_factory=dict)


async def read_queue(settings: Settings) -> QueueState:
    """Look at the queue, in one round trip and on a connection of its own.

    The queue's own connections may all be taken, and that is just when somebody looks.
    """
    keys = Keys(settings.namespace)
    try:
        async with redis.asyncio.Redis.from_url(settings.queue_url, **_CONNECTION) as client:
            pipe: Any = client.pipeline(transaction=False)
            pipe.time().hgetall(keys.metrics).hgetall(keys.workers)
            pipe.xlen(keys.dead).exists(keys.draining)
            for stream in map(keys.lane, Lane):
                pipe.xlen(stream).xpending(stream, GROUP).xrange(stream, count=1)
            time, counts, workers, dead, draining, *lanes = await pipe.execute(raise_on_error=False)
    except (redis.RedisError, OSError):
        return QueueState()
    if isinstance(time, Exception):  # the server is still loading its file
        return QueueState()
    now = time[0] * 1000 + time[1] // 1000
    parts = zip(Lane, lanes[::3], lanes[1::3], lanes[2::3], strict=True)
    return QueueState(
        up=True,
        draining=bool(draining),
        lanes={str(lane): _lane(now, *seen) for lane, *seen in parts},
        workers=sum(now - json.loads(beat)["at"] < ALIVE_MS for beat in workers.values()),
        dead=dead,
        counts={name.decode(): float(value) for name, value in counts.items()},
    )


def _lane(now: int, length: int, pending: Any, first: Sequence[Any]) -> LaneState:
    # No group yet, as no worker has ever come: all of it waits.
    running = 0 if isinstance(pending, Exception) else pending["pending"]
    came = int(first[0][0].split(b"-")[0]) if first else now
    return LaneState(max(0, length - running), running, now - came)
