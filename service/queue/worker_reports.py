"""Reports of the workers: heartbeats with their bundles, notifications of tasks that ended."""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from redis.exceptions import RedisError

from service.errors.requests import UnknownModel
from service.queue.task import model_version
from service.redis.client import RedisErrorLog

# Workers send a heartbeat every two seconds. One that is silent for longer counts as dead.
_ALIVE_MS = 10_000
_RETRY_SECONDS = 0.5
POLL_SECONDS = 2.0  # notifications can be lost: the state is also read at this interval
_MAX_AGE_SECONDS = 1.0


@dataclass(frozen=True)
class Heartbeat:
    """The last report of a worker.

    Attributes:
        models: digest of each bundle by its name.
        default: the bundle for tasks that name none.
        generation: of the loaded bundles; each reload counts it up.
        error: why the last reload failed, or None.
        engines: name of each bundle's engine by the bundle's name.
        tried: the last generation the worker tried to load, with or without success.
        unhealthy: bundles that take no tasks, each with the reason.
        at: when it was sent, in milliseconds since 1970.
    """

    models: Mapping[str, str]
    default: str = ""
    generation: int = 0
    error: str | None = None
    engines: Mapping[str, str] = field(default_factory=dict)
    tried: int = 0
    unhealthy: Mapping[str, str] = field(default_factory=dict)
    at: int = 0

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse JSON. Workers of older versions omit some fields; unknown fields are ignored."""
        facts = json.loads(data)
        return cls(**{name: facts[name] for name in cls.__dataclass_fields__ if name in facts})

    @property
    def is_healthy(self) -> bool:
        """Whether any bundle takes tasks."""
        return any(name not in self.unhealthy for name in self.models)

    def model_version(self, name: str) -> str:
        """Return the digest and the engine of a loaded bundle."""
        return model_version(self.models[name], self.engines.get(name, ""))


def parse_heartbeats(
    workers: Mapping[bytes, bytes], clock: tuple[int, int]
) -> dict[str, Heartbeat]:
    """Return the heartbeats of live workers by the worker's name.

    Args:
        workers: the hash of heartbeats.
        clock: Redis's reply to TIME: seconds and microseconds.
    """
    now = clock[0] * 1000 + clock[1] // 1000
    found = {name.decode(): Heartbeat.parse(data) for name, data in workers.items()}
    return {name: one for name, one in found.items() if now - one.at < _ALIVE_MS}


class WorkerRegistry:
    """The bundles that live workers have loaded, read from Redis at most once per second."""

    def __init__(self, read: Callable[[], Awaitable[Mapping[str, Heartbeat]]]) -> None:
        self._read = read
        self._heartbeats: Mapping[str, Heartbeat] = {}
        self._read_at = float("-inf")

    async def heartbeats(self) -> Mapping[str, Heartbeat]:
        """The heartbeat of every live worker, at most a second old."""
        if time.monotonic() - self._read_at > _MAX_AGE_SECONDS:
            self._heartbeats = await self._read()
            self._read_at = time.monotonic()
        return self._heartbeats

    async def resolve(self, model: str) -> tuple[str, str]:
        """The name and version (digest and engine) of a bundle; of the default for an empty name.

        Without live workers every name is accepted, with an empty version: the job waits.

        Raises:
            UnknownModel: no live worker has it.
        """
        heartbeats = await self.heartbeats()
        if not heartbeats:
            return model, ""
        best = _ordered(heartbeats)
        name = model or _default(best)
        for heartbeat in best:
            if name in heartbeat.models:
                return name, heartbeat.model_version(name)
        known = sorted({name for heartbeat in heartbeats.values() for name in heartbeat.models})
        raise UnknownModel(f"no bundle is called {name[:60]!r}; there are: {', '.join(known)}")


def default_model(heartbeats: Mapping[str, Heartbeat]) -> str:
    """The bundle for requests that name none; empty without live workers."""
    return _default(_ordered(heartbeats)) if heartbeats else ""


def _ordered(heartbeats: Mapping[str, Heartbeat]) -> list[Heartbeat]:
    """Healthy workers first, among them those with the newest bundles."""
    return sorted(
        heartbeats.values(), key=lambda heartbeat: (not heartbeat.is_healthy, -heartbeat.generation)
    )


def _default(best: Sequence[Heartbeat]) -> str:
    """The default bundle of most of the best workers."""
    first = best[0]
    votes = Counter(
        heartbeat.default
        for heartbeat in best
        if (heartbeat.is_healthy, heartbeat.generation) == (first.is_healthy, first.generation)
    )
    return min(votes, key=lambda name: (-votes[name], name))


class CompletionNotifier:
    """Sets events when tasks end, by one Redis subscription for the whole process.

    Notifications can be lost, so waiters must also poll.
    """

    def __init__(self, client: Any, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._errors = RedisErrorLog()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def subscribe(self, task: str) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever a notification for the task arrives."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        completion = asyncio.Event()
        self._listeners[task].add(completion)
        try:
            yield completion
        finally:
            self._listeners[task].discard(completion)
            if not self._listeners[task]:
                del self._listeners[task]

    async def close(self) -> None:
        """End the subscription."""
        # While it connects, redis-py may turn a cancellation into an error of its own.
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=0.1)

    async def _run(self) -> None:
        while True:
            try:
                await self._receive()
            except (RedisError, OSError) as error:
                self._errors.warn(error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _receive(self) -> None:
        async with self._client.pubsub() as channel:
            await channel.subscribe(self._channel)
            for task in list(self._listeners):  # tasks may have ended before the subscription
                self._notify(task)
            while True:
                # The timeout detects connections that are silently dead.
                message = await channel.get_message(timeout=5.0)
                if message is None:
                    await channel.ping()
                elif message["type"] == "message":
                    self._notify(message["data"].decode())

    def _notify(self, task: str) -> None:
        for completion in self._listeners.get(task, ()):
            completion.set()


async def wait_for(completion: asyncio.Event, seconds: float) -> None:
    """Wait until an event is set, and clear it; return after ``seconds`` in any case."""
    try:
        async with asyncio.timeout(seconds):
            await completion.wait()
        completion.clear()
    except TimeoutError:
        pass
