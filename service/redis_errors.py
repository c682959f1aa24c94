"""What an error from Redis means for whoever got it."""

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
