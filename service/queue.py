"""The queue as the API sees it: put a job in, wait for what becomes of it, take it back."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from service import scripts
from service.errors import AnswerTimeout, QueueFull, QueueUnavailable
from service.jobs import Job, Outcome, read_outcome
from service.settings import Settings

GROUP = "workers"
# A worker beats every two seconds; one not heard of for this long is not counted on.
ALIVE_MS = 10_000
# RESP2 replies look the same from every server; a call may block for a while, but not for ever.
CONNECTION: dict[str, Any] = {"protocol": 2, "socket_timeout": 10, "socket_connect_timeout": 2}
_SLICE_SECONDS = 2.0
_RETRY_SECONDS = 0.5


@dataclass(frozen=True)
class Keys:
    """The names of everything in Redis. The braces keep them on one node of a cluster."""

    namespace: str

    @property
    def stream(self) -> str:
        """The stream of job ids: waiting and running."""
        return f"{{{self.namespace}}}:jobs"

    @property
    def dead(self) -> str:
        """The stream of jobs given up, with the reason."""
        return f"{{{self.namespace}}}:dead"

    @property
    def workers(self) -> str:
        """The hash of workers: when each was last heard of, and its bundle."""
        return f"{{{self.namespace}}}:workers"

    def job(self, name: str) -> str:
        """The key of a job's hash, which holds first the job and then its outcome."""
        return f"{{{self.namespace}}}:job:{name}"

    def bell(self, name: str) -> str:
        """The key of the list that wakes the one who waits for the job."""
        return f"{{{self.namespace}}}:bell:{name}"


class Queue:
    """The API's side of the queue. Every method raises `QueueUnavailable` without a server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = Keys(settings.namespace)
        # One connection for each job that is waited for, and some to put jobs in.
        room = settings.queue_limit + 64
        self._redis: Any = redis.asyncio.Redis.from_url(
            settings.queue_url, max_connections=room, **CONNECTION
        )
        self._enqueue = self._redis.register_script(scripts.ENQUEUE)

    async def put(self, job: Job) -> None:
        """Queue a job, or raise `QueueFull`."""
        fields = [part for pair in job.fields().items() for part in pair]
        live_ms = int(self._settings.answer_seconds * 1000)
        with _unavailable():
            queued = await self._enqueue(
                keys=[self._keys.stream, self._keys.job(job.id)],
                args=[self._settings.queue_limit, live_ms, job.id, *fields],
            )
        if not queued:
            raise QueueFull(f"{self._settings.queue_limit} jobs are waiting")

    async def wait(self, name: str) -> Outcome:
        """What became of a job, as soon as it is known; `AnswerTimeout` past the deadline.

        The job has been accepted, so a server that is away for a while is waited for.
        """
        deadline = time.monotonic() + self._settings.answer_seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                outcome = await self._listen(name, min(left, _SLICE_SECONDS))
            except QueueUnavailable:
                await asyncio.sleep(min(left, _RETRY_SECONDS))
                continue
            if outcome is not None:
                return outcome
        raise AnswerTimeout(f"no worker finished the job in {self._settings.answer_seconds:g} s")

    async def _listen(self, name: str, seconds: float) -> Outcome | None:
        """Wait for a job's bell, then look: a bell lost on the way costs time, not the answer."""
        with _unavailable():
            await self._redis.blpop([self._keys.bell(name)], timeout=seconds)
            return read_outcome(await self._redis.hgetall(self._keys.job(name)))

    async def abandon(self, name: str) -> None:
        """Forget a job nobody waits for: a worker drops it before the model sees it."""
        with _unavailable():
            await self._redis.delete(self._keys.job(name), self._keys.bell(name))

    async def workers(self) -> dict[str, str]:
        """The bundle digest of every live worker, by the worker's name."""
        with _unavailable():
            seconds, microseconds = await self._redis.time()
            beats = await self._redis.hgetall(self._keys.workers)
        now = seconds * 1000 + microseconds // 1000
        parsed = {name.decode(): beat.decode().split(" ") for name, beat in beats.items()}
        return {name: digest for name, (at, digest) in parsed.items() if now - int(at) < ALIVE_MS}

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise QueueUnavailable("the queue does not answer") from error
