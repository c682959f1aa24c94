"""Notifications of finished tasks: one Redis subscription for the whole process."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.exceptions import RedisError

from service.redis.errors import RedisErrorLog

_RETRY_SECONDS = 0.5


class CompletionNotifier:
    """Sets events when tasks end. Notifications can be lost, so waiters must also poll."""

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
                await self._subscribe()
            except (RedisError, OSError) as error:
                self._errors.warn(error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _subscribe(self) -> None:
        async with self._client.pubsub() as channel:
            await channel.subscribe(self._channel)
            self._notify_all()  # tasks may have ended before the subscription
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

    def _notify_all(self) -> None:
        for task in list(self._listeners):
            self._notify(task)
