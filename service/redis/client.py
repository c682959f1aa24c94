"""The Redis client: connection options, failover, errors and their reasons for the log."""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis.asyncio
from redis import exceptions
from redis.exceptions import (
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.errors.queue import QueueFull, QueueUnavailable
from service.errors.redaction import redact

log = logging.getLogger("captionfill.redis")

# RESP2 replies are the same on every server.
CONNECTION: dict[str, Any] = {"protocol": 2, "socket_timeout": 10, "socket_connect_timeout": 2}
_MAX_CHARACTERS = 300
# redis-py removes the code from the message where it has a class for it.
_CODES: dict[type[BaseException], str] = {
    exceptions.ReadOnlyError: "READONLY",
    exceptions.OutOfMemoryError: "OOM",
    exceptions.NoPermissionError: "NOPERM",
    exceptions.BusyLoadingError: "LOADING",
    exceptions.AuthenticationError: "NOAUTH",
}
_USER_INFO = re.compile(r"//[^\s/]*@")
_REPEAT_SECONDS = 5.0
# Replies of a server that may accept the same command later. redis-py has classes for some.
_REFUSALS = ("MISCONF", "READONLY", "NOREPLICAS", "OOM ", "LOADING", "BUSY ", "TRYAGAIN",
             "CLUSTERDOWN", "MASTERDOWN")  # fmt: skip
_TRANSIENT = (
    RedisConnectionError, RedisTimeoutError, ReadOnlyError, OutOfMemoryError, ClusterDownError,
    TryAgainError,
)  # fmt: skip


def is_transient(error: RedisError) -> bool:
    """Whether the same call may succeed later: no connection, a timeout, or a refusal.

    In an error from a script other words may come before the code, so the whole message is
    searched.
    """
    if isinstance(error, _TRANSIENT):
        return True
    return isinstance(error, ResponseError) and any(word in str(error) for word in _REFUSALS)


def is_read_only(error: BaseException) -> bool:
    """Whether Redis refused a write because it is a replica, also in a script."""
    return isinstance(error, ReadOnlyError) or "READONLY" in str(error)


class AsyncFailoverClient(redis.asyncio.Redis):
    """A client that closes every connection, also of subscriptions, to a demoted master.

    Such a master still answers reads on open connections. A new connection resolves the address
    again.
    """

    async def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Read a reply of a connection."""
        try:
            return await super().parse_response(connection, command_name, **options)
        except ResponseError as error:
            if is_read_only(error):
                await self.connection_pool.disconnect()
            raise


def reason_of(error: BaseException) -> str:
    """Return the type and message of an error: ``ReadOnlyError: READONLY You can't write …``."""
    # Redacted before it is cut: a part of a secret would not be recognised.
    text = " ".join(redact(_USER_INFO.sub("//***@", str(error))).split())
    code = _CODES.get(type(error), "")
    text = text if text.startswith(code) else f"{code} {text}"
    return f"{type(error).__name__}: {text}"[:_MAX_CHARACTERS] if text else type(error).__name__


class RedisErrorLog:
    """Logs errors of Redis, each reason at most once in five seconds."""

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}

    def warn(self, error: BaseException) -> None:
        """Log an error unless the same reason has just been logged."""
        reason, now = reason_of(error), time.monotonic()
        if now - self._logged.get(reason, float("-inf")) < _REPEAT_SECONDS:
            return
        self._logged = {
            old: at for old, at in self._logged.items() if now - at < _REPEAT_SECONDS
        } | {reason: now}
        log.warning("Redis unavailable", extra={"reason": reason})


error_log = RedisErrorLog()


@contextmanager
def translate_redis_errors() -> Iterator[None]:
    """Log redis-py's errors, and raise them as errors of the API.

    Raises:
        QueueFull: Redis is out of memory.
        QueueUnavailable: any other error.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        error_log.warn(error)
        # In a script this error is a plain ResponseError.
        if isinstance(error, OutOfMemoryError) or "OOM" in str(error):
            raise QueueFull("the queue's memory is full") from error
        raise QueueUnavailable("the queue does not answer") from error
