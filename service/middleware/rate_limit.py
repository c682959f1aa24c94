"""Rate limits: one token bucket per caller in Redis, shared by all API processes.

A script takes tokens by the clock of Redis, so that two processes never take the same token.
"""

import math
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from service.auth.api_keys import Principal
from service.auth.authentication import auth_enabled
from service.config.settings import Settings
from service.errors.queue import QueueUnavailable, TooManyRequests
from service.redis.client import AsyncFailoverClient, RedisErrorLog

_RATE_WITH_KEYS = 20.0
_WAIT_SECONDS = 2
_CONNECTIONS = 16

# KEYS: bucket. ARGV: tokens a second, most tokens.
# Returns whether a token was taken (1 or 0), and the thousandths of tokens left. A bucket expires
# when it is full again.
TAKE_SCRIPT = """
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = burst
if held[1] then
  tokens = math.min(burst, held[1] + math.max(0, now - held[2]) * rate)
end
local taken = 0
if tokens >= 1 then taken, tokens = 1, tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens),
  'at', string.format('%.6f', now))
local full = math.ceil((burst - tokens) / rate * 1000) + 1000
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', full))
return {taken, math.floor(tokens * 1000)}
"""


@dataclass(frozen=True)
class Allowance:
    """The state of a caller's bucket: tokens per second, its size and what is left, in tokens."""

    rate: float
    burst: int
    tokens: float

    @property
    def headers(self) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers: quota, window; remaining, reset."""
        window = math.ceil(self.burst / self.rate)
        reset = math.ceil((self.burst - self.tokens) / self.rate)
        return {
            "RateLimit-Policy": f'"caller";q={self.burst};w={window}',
            "RateLimit": f'"caller";r={int(self.tokens)};t={reset}',
        }

    @property
    def retry_after(self) -> int:
        """Seconds until there is a token, rounded up."""
        return max(1, math.ceil((1 - self.tokens) / self.rate))


class RateLimiter:
    """Takes a token for each request."""

    def __init__(self, settings: Settings) -> None:
        with_keys = _RATE_WITH_KEYS if auth_enabled(settings) else 0.0
        self._default = with_keys if settings.rate_limit is None else settings.rate_limit
        self._burst = settings.rate_burst
        self._prefix = f"{{{settings.namespace}}}:rate:"
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            settings.queue_url,
            max_connections=_CONNECTIONS,
            timeout=_WAIT_SECONDS,
            protocol=2,
            socket_timeout=_WAIT_SECONDS,
            socket_connect_timeout=_WAIT_SECONDS,
        )
        self._redis: Any = AsyncFailoverClient.from_pool(pool)
        self._errors = RedisErrorLog()
        self._take = self._redis.register_script(TAKE_SCRIPT)

    async def acquire(self, caller: Principal, identity: str) -> Allowance | None:
        """Take a token from the bucket of an identity. Returns its state; None without a limit.

        Raises:
            TooManyRequests: there is no token.
            QueueUnavailable: Redis does not answer.
        """
        rate = self._default if caller.rate is None else caller.rate
        if not rate:
            return None
        try:
            taken, left = await self._take(keys=[self._prefix + identity], args=[rate, self._burst])
        except (RedisError, OSError) as error:
            self._errors.warn(error)
            raise QueueUnavailable("the queue does not answer") from error
        allowance = Allowance(rate, self._burst, left / 1000)
        if not taken:
            headers = {"Retry-After": str(allowance.retry_after), **allowance.headers}
            raise TooManyRequests(f"at most {rate:g} requests a second", headers)
        return allowance

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()
