"""Calls of Redis by a worker: repeated during an outage, with exponential backoff."""

import threading
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from service.queue.consumer import Consumer
from service.redis.client import RedisErrorLog, is_read_only, is_transient

# Delay after an error: the first, and the longest.
_FIRST_RETRY_SECONDS, _RETRY_SECONDS = 0.05, 1.0
# A result that cannot be stored for this long is dropped, and its task is done again.
_STORE_SECONDS = 60.0


class RedisRetry:
    """Repeats calls of Redis while it is unavailable or refuses writes, until ``stop`` is set."""

    def __init__(self, consumer: Consumer, stop: threading.Event) -> None:
        self._consumer = consumer
        self._stop = stop
        self._errors = 0
        self._log = RedisErrorLog()

    def call(self, call: Callable[[], Any]) -> None:
        """Call Redis, with retries.

        Raises:
            RedisError: not transient, or for too long. The leases then expire.
        """
        deadline = time.monotonic() + _STORE_SECONDS
        while True:
            try:
                call()
            except RedisError as error:
                is_late = self._stop.is_set() or time.monotonic() > deadline
                if is_late or not is_transient(error):
                    raise
                self.pause(error)
            else:
                return

    def report(self, error: RedisError) -> None:
        """Log an error of Redis; after a refused write look for the new master."""
        self._log.warn(error)
        if is_read_only(error):
            self._consumer.reconnect()

    def pause(self, error: RedisError) -> None:
        """Report an error, and wait before the next call."""
        self.report(error)
        delay = min(_FIRST_RETRY_SECONDS * 2**self._errors, _RETRY_SECONDS)
        self._errors = min(self._errors + 1, 10)
        self._stop.wait(delay)

    def reset(self) -> None:
        """Begin with the shortest delay again: Redis has answered."""
        self._errors = 0
