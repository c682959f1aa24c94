"""A Redis client that fails at a chosen call, before it reaches the server or after it has run."""

import threading
from contextlib import suppress

import redis
from redis.exceptions import (
    ConnectionError,
    NoScriptError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
)

from service.redis.client import CONNECTION

# How a call can fail: the error, and whether the server has executed the call before it.
REFUSALS = {
    "misconf": ResponseError("MISCONF Redis is configured to save RDB snapshots, but cannot"),
    "readonly": ReadOnlyError("You can't write against a read only replica."),
    "noreplicas": ResponseError("NOREPLICAS Not enough good replicas to write."),
}
LOSSES = {"connection": ConnectionError("Connection reset"), "timeout": TimeoutError("Timeout")}
FAULTS = {
    **{name: (error, False) for name, error in {**REFUSALS, **LOSSES}.items()},
    **{f"{name}-after": (error, True) for name, error in LOSSES.items()},
}


class FaultyRedis(redis.Redis):
    """Raises an error at some of its calls; a pipeline is one call.

    Attributes:
        calls: names of the commands so far, those that failed as well.
        failing: numbers of the calls that fail, from 0.
    """

    calls: list
    failing: range = range(0)
    fault: tuple = FAULTS["connection"]
    mutex: threading.Lock

    @classmethod
    def make(cls, url, failing=range(0), fault="connection"):
        client = cls.from_url(url, **CONNECTION)
        client.calls, client.mutex = [], threading.Lock()
        client.failing, client.fault = failing, FAULTS[fault]
        return client

    def execute_command(self, *args, **options):
        execute = super().execute_command
        return self.attempt(args[0], lambda: execute(*args, **options))

    def pipeline(self, transaction=True, shard_hint=None):
        pipe = super().pipeline(transaction, shard_hint)
        execute = pipe.execute
        pipe.execute = lambda *args, **options: self.attempt(
            "PIPELINE", lambda: execute(*args, **options)
        )
        return pipe

    def attempt(self, name, call):
        with self.mutex:
            number = len(self.calls)
            self.calls.append(name)
        error, is_after = self.fault
        if number not in self.failing:
            return call()
        if is_after:
            with suppress(NoScriptError):  # the script was not loaded, so nothing has run
                call()
        raise error
