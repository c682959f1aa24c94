"""The worker's second thread: renews leases, sends heartbeats and sweeps, while the model runs."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from service.queue.consumer import Consumer

log = logging.getLogger("captionfill.worker")

_HEARTBEAT_SECONDS = 2.0
_SWEEP_SECONDS = 5.0


class MaintenanceThread:
    """Calls the consumer's maintenance at fixed intervals. No error ends it."""

    def __init__(
        self,
        consumer: Consumer,
        heartbeat: Callable[[], None],
        lease_seconds: float,
        report: Callable[[RedisError], None],
    ) -> None:
        self._consumer, self._heartbeat, self._report = consumer, heartbeat, report
        # Three renewals in the time of a lease.
        self._interval = min(_HEARTBEAT_SECONDS, lease_seconds / 3)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        next_sweep = 0.0
        while not self._ended.is_set():
            self._attempt(self._consumer.renew)
            self._attempt(self._heartbeat)
            if time.monotonic() >= next_sweep:
                self._attempt(self._consumer.sweep)
                next_sweep = time.monotonic() + _SWEEP_SECONDS
            self._ended.wait(self._interval)

    def _attempt(self, step: Callable[[], Any]) -> None:
        try:
            step()
        except RedisError as error:
            self._report(error)
        except Exception:
            log.exception("worker maintenance failed")
