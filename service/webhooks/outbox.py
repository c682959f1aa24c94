"""Webhooks that are due, in Redis: several API processes share them, and none is lost with one.

A job's id is in a sorted set by the time its next attempt is due; the queue puts it there, in the
script that ends the job. Its hash holds what outlives the job: the url, the attempts so far, the
body once it is made, and the last error. Whoever takes a webhook moves it a lease into the future:
if they die, it is due again. So a webhook arrives at least once.
"""

from dataclasses import dataclass
from typing import Any

from service.queue.redis_keys import RedisKeys
from service.queue.scripts import script

_KEPT_MS = 24 * 3_600_000


@dataclass(frozen=True)
class PendingWebhook:
    """A webhook to send now.

    Attributes:
        attempt: counted from 1.
        body: of an earlier attempt, or None.
        state: how the job ended, or None where it is not known any more.
    """

    job: str
    url: str
    attempt: int
    body: bytes | None
    state: str | None


class Outbox:
    """What is due, and what became of it. Methods raise redis-py's own errors."""

    def __init__(self, redis: Any, keys: RedisKeys, lease_seconds: float) -> None:
        self._redis, self._keys = redis, keys
        self._lease_ms = int(lease_seconds * 1000)
        self._claim, self._retry, self._settle = (
            redis.register_script(script(f"webhooks/{step}"))
            for step in ("claim", "retry", "settle")
        )

    async def claim(self, limit: int) -> list[PendingWebhook]:
        """Take webhooks that are due, for the time of a lease."""
        found = await self._claim(args=[self._keys.prefix, limit, self._lease_ms, _KEPT_MS])
        return [
            PendingWebhook(job.decode(), url.decode(), attempt, body, state and state.decode())
            for job, url, attempt, body, state in found
        ]

    async def keep(self, job: str, body: bytes) -> bytes:
        """Keep the body for every attempt, whatever becomes of the job; return the one kept."""
        hook = self._keys.hook(job)
        await self._redis.hsetnx(hook, "body", body)
        kept: bytes | None = await self._redis.hget(hook, "body")
        return kept or body

    async def retry(self, job: str, seconds: float, reason: str) -> None:
        """Make the webhook due again in some seconds."""
        await self._retry(args=[self._keys.prefix, job, int(seconds * 1000), reason])

    async def deliver(self, job: str) -> None:
        """Note that it arrived. That is known for a day."""
        await self._settle(args=[self._keys.prefix, job, "delivered", "", _KEPT_MS])

    async def abandon(self, job: str, reason: str) -> None:
        """Note that it will not arrive. That is known for a day."""
        await self._settle(args=[self._keys.prefix, job, "abandoned", reason, _KEPT_MS])
