"""Webhooks that are due, in Redis: several API processes share them, and none is lost with one.

A job's id is in a sorted set by the time its next attempt is due; its hash holds the url, the
attempts so far, the body once it is made, and the last error. The queue adds the job, in the
script that ends it. Whoever takes a job moves it a lease into the future: if they die, it is due
again. So a webhook arrives at least once.
"""

from dataclasses import dataclass
from typing import Any

_TIME = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# KEYS: hooks. ARGV: most to take, milliseconds of the lease. Returns the ids of jobs.
_CLAIM = f"""
{_TIME}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, job in ipairs(due) do redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], job) end
return due
"""

# KEYS: hooks, hook. ARGV: job, milliseconds to wait, error. XX: what was delivered meanwhile by
# another process, slower than its lease, is not due again.
_RETRY = f"""
{_TIME}
redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1])
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('HSET', KEYS[2], 'error', ARGV[3]) end
return 1
"""

_KEPT_MS = 24 * 3_600_000


@dataclass(frozen=True)
class Hook:
    """A webhook to send now: this is attempt number ``attempts``, counted from 1."""

    job: str
    url: str
    attempts: int
    body: bytes | None


class Outbox:
    """What is due, and what became of it. Methods raise redis-py's own errors."""

    def __init__(self, redis: Any, namespace: str, lease_seconds: float) -> None:
        self._redis = redis
        self._namespace = namespace
        self._lease_ms = int(lease_seconds * 1000)
        self._claim = redis.register_script(_CLAIM)
        self._retry = redis.register_script(_RETRY)

    @property
    def hooks(self) -> str:
        """The sorted set of jobs whose webhook is to be sent, by when it is due."""
        return f"{{{self._namespace}}}:hooks"

    def hook(self, job: str) -> str:
        """The key of a webhook's hash."""
        return f"{{{self._namespace}}}:hook:{job}"

    async def claim(self, limit: int) -> list[Hook]:
        """Take webhooks that are due, for the time of a lease."""
        jobs = await self._claim(keys=[self.hooks], args=[limit, self._lease_ms])
        hooks = [await self._open(job.decode()) for job in jobs]
        return [hook for hook in hooks if hook]

    async def keep(self, job: str, body: bytes) -> bytes:
        """Keep the body for every attempt, whatever becomes of the job; return the one kept."""
        await self._redis.hsetnx(self.hook(job), "body", body)
        kept: bytes | None = await self._redis.hget(self.hook(job), "body")
        return kept or body

    async def retry(self, job: str, seconds: float, error: str) -> None:
        """Make the webhook due again in some seconds."""
        await self._retry(keys=[self.hooks, self.hook(job)], args=[job, int(seconds * 1000), error])

    async def settle(self, job: str, state: str, error: str = "") -> None:
        """End it: "delivered" or "given up". The hash tells so for a day."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(self.hooks, job)
            pipe.hset(self.hook(job), mapping={"state": state, "error": error})
            pipe.pexpire(self.hook(job), _KEPT_MS)
            await pipe.execute()

    async def _open(self, job: str) -> Hook | None:
        url: bytes | None = await self._redis.hget(self.hook(job), "url")
        if url is None:  # it expired, or the server lost it: there is no one to tell
            await self._redis.zrem(self.hooks, job)
            return None
        # Counted before it is sent: an attempt that takes the process down is an attempt.
        attempts = await self._redis.hincrby(self.hook(job), "attempts", 1)
        return Hook(job, url.decode(), attempts, await self._redis.hget(self.hook(job), "body"))
