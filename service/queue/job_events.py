"""The events of jobs: changes of their state, in a stream of Redis for each job."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from service.queue.jobs import State
from service.queue.redis_keys import RedisKeys
from service.queue.worker_reports import POLL_SECONDS, CompletionNotifier, wait_for
from service.redis.client import translate_redis_errors


@dataclass(frozen=True)
class Event:
    """A change of a job's state; ``id`` is its position in the stream of events."""

    id: str
    state: State


class JobEvents:
    """Reads events. Every method raises `QueueUnavailable` if Redis does not answer."""

    def __init__(self, client: Any, keys: RedisKeys, notifier: CompletionNotifier) -> None:
        self._redis, self._keys, self._notifier = client, keys, notifier

    async def access(self, name: str) -> tuple[str, str]:
        """The owner of a job, and the secret that signs its addresses; empty if it is unknown."""
        with translate_redis_errors():
            found = await self._redis.hmget(self._keys.job + name, "owner", "secret")
        owner, secret = ((value or b"").decode() for value in found)
        return owner, secret

    async def since(self, name: str, after: str = "0-0") -> list[Event]:
        """Return the events of a job after an event id."""
        with translate_redis_errors():
            found = await self._redis.xrange(self._keys.events + name, f"({after}", "+")
        return [Event(entry.decode(), State(fields[b"state"].decode())) for entry, fields in found]

    async def follow(
        self, name: str, task_id: str, after: str = "0-0"
    ) -> AsyncIterator[Event | None]:
        """Yield the events of a job after an event id up to its end, and None in between.

        Raises:
            QueueUnavailable: the client can resume from its last event.
        """
        with self._notifier.subscribe(task_id) as completion:
            while True:
                for event in await self.since(name, after):
                    after = event.id
                    yield event
                    if event.state.is_end:
                        return
                yield None
                await wait_for(completion, POLL_SECONDS)
