"""What an error from Redis means for whoever got it, and its reason as the log may have it.

A reason is one line, without credentials.
"""

import logging
import re
import time

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

from service.errors.redaction import redact

log = logging.getLogger("captionfill.redis")

_LONGEST = 300
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
# Replies by which a server refuses what it would do at another time: redis-py has classes for some.
_REFUSALS = ("MISCONF", "READONLY", "NOREPLICAS", "OOM ", "LOADING", "BUSY ", "TRYAGAIN",
             "CLUSTERDOWN", "MASTERDOWN")  # fmt: skip
_TRANSIENT = (
    RedisConnectionError, RedisTimeoutError, ReadOnlyError, OutOfMemoryError, ClusterDownError,
    TryAgainError,
)  # fmt: skip


def lost_group(error: RedisError) -> bool:
    """Whether a stream or its consumer group is gone: the server has lost its data."""
    return isinstance(error, ResponseError) and "NOGROUP" in str(error)


def is_transient(error: RedisError) -> bool:
    """Whether the same call may succeed later: no connection, no answer, or a refusal.

    Inside a script an error's first word may be preceded by the script's own words, so the whole
    message is searched.
    """
    if isinstance(error, _TRANSIENT):
        return True
    return isinstance(error, ResponseError) and any(word in str(error) for word in _REFUSALS)


def reason_of(error: BaseException) -> str:
    """The kind of an error and its message: ``ReadOnlyError: READONLY You can't write …``."""
    # Masked before it is cut: a part of a secret would not be known again.
    text = " ".join(redact(_USER_INFO.sub("//***@", str(error))).split())
    code = _CODES.get(type(error), "")
    text = text if text.startswith(code) else f"{code} {text}"
    return f"{type(error).__name__}: {text}"[:_LONGEST] if text else type(error).__name__


class RedisErrorLog:
    """Logs errors of Redis with their reasons; the same reason again only after five seconds.

    While Redis is away every request fails for the same reason.
    """

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
        log.warning("queue away", extra={"reason": reason})
