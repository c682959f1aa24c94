"""A background task of every API process that expires jobs.

It reports jobs past their deadline as expired and jobs without records in Redis as lost, releases
the quota of expired uploads, and deletes old dead letters.
"""

import asyncio
import logging

from captionfill.errors import CaptionfillError
from service.queue.client import Queue

log = logging.getLogger("captionfill.api")

_PAUSE_SECONDS = 1.0
# Unfinished jobs that one call checks; it takes Redis about a millisecond.
_BATCH_SIZE = 100


class ExpirySweeper:
    """Calls the queue's sweep and logs its findings."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._cursor = 0
        self._lost: int | None = None

    async def sweep(self) -> None:
        """Sweep once; raise `QueueUnavailable` if Redis does not answer."""
        self._cursor, expired, lost = await self._queue.sweep(self._cursor, _BATCH_SIZE)
        if expired:
            log.warning("jobs expired", extra={"jobs": expired})
        new = lost - (lost if self._lost is None else self._lost)
        if new > 0:
            log.error("Redis lost jobs", extra={"jobs": new, "total": lost})
        self._lost = lost

    async def run(self) -> None:
        """Sweep until cancelled, also while Redis does not answer."""
        while True:
            try:
                await self.sweep()
            except CaptionfillError:
                pass  # logged where it was raised
            except Exception:
                log.exception("sweep failed")
            await asyncio.sleep(_PAUSE_SECONDS)
