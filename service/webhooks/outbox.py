"""The outbox: webhooks that are due, in Redis, shared by all API processes.

A sorted set holds job ids by the time of the next attempt. The script that ends a job adds it. A
hash for each job, which outlives the job, holds the URL, the number of attempts, the body and the
last error. Claiming a webhook moves its time a lease into the future: if the process dies, the
webhook is due again. Delivery is at least once.
"""

from dataclasses import dataclass
from typing import Any

from service.queue.redis_keys import RedisKeys
from service.queue.scripts import script

_TTL_MS = 24 * 3_600_000


@dataclass(frozen=True)
class PendingWebhook:
    """A claimed webhook. Attempts count from 1; a body is that of an earlier attempt.

    The state is the final one of the job, or None if the job is no longer known.
    """

    job: str
    url: str
    attempt: int
    body: bytes | None
    state: str | None


class Outbox:
    """Claims and settles webhooks. Methods raise redis-py's errors."""

    def __init__(self, redis: Any, keys: RedisKeys, lease_seconds: float) -> None:
        self._redis, self._keys = redis, keys
        self._lease_ms = int(lease_seconds * 1000)
        self._claim, self._retry, self._settle = (
            redis.register_script(script(f"webhooks/{step}"))
            for step in ("claim", "retry", "settle")
        )

    async def claim(self, limit: int) -> list[PendingWebhook]:
        """Claim up to ``limit`` webhooks that are due, for a lease."""
        found = await self._claim(args=[self._keys.prefix, limit, self._lease_ms, _TTL_MS])
        return [
            PendingWebhook(job.decode(), url.decode(), attempt, body, state and state.decode())
            for job, url, attempt, body, state in found
        ]

    async def store_body(self, job: str, body: bytes) -> bytes:
        """Store the body for all attempts. Returns the stored one, which may be an earlier one."""
        hook = self._keys.hook + job
        await self._redis.hsetnx(hook, "body", body)
        stored: bytes | None = await self._redis.hget(hook, "body")
        return stored or body

    async def retry(self, job: str, seconds: float, reason: str) -> None:
        """Schedule the next attempt in ``seconds``."""
        await self._retry(args=[self._keys.prefix, job, int(seconds * 1000), reason])

    async def settle(self, job: str, state: str, reason: str = "") -> None:
        """Record that it was "delivered" or "abandoned"; the record is kept for 24 hours."""
        await self._settle(args=[self._keys.prefix, job, state, reason, _TTL_MS])
