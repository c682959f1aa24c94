"""Ending what is over when nobody looks: a task in every API process.

Jobs whose deadline passed are told expired, jobs whose records Redis no longer has are told lost,
charges for expired uploads are released, old dead letters are removed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from captionfill.errors import CaptionfillError
from service.queue.client import Queue

log = logging.getLogger("captionfill.api")

_PAUSE_SECONDS = 1.0
# Unfinished jobs whose records are checked in one call; it takes Redis about a millisecond.
_CHECKED = 100


class ExpirySweeper:
    """Calls the queue's sweep and logs what it found."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._place = 0
        self._lost: int | None = None

    async def sweep(self) -> None:
        """Sweep once.

        Raises:
            QueueUnavailable: Redis does not answer.
        """
        self._place, expired, lost = await self._queue.sweep(self._place, _CHECKED)
        if expired:
            log.warning("jobs expired", extra={"jobs": expired})
        new = lost - (lost if self._lost is None else self._lost)
        if new > 0:
            log.error("Redis lost jobs", extra={"jobs": new, "total": lost})
        self._lost = lost

    async def run(self) -> None:
        """Sweep until cancelled; wait out a server that is away."""
        while True:
            try:
                await self.sweep()
            except CaptionfillError:
                pass  # logged with its reason where it was raised
            except Exception:
                log.exception("sweep failed")
            await asyncio.sleep(_PAUSE_SECONDS)


@asynccontextmanager
async def run_expiry_sweeper(queue: Queue) -> AsyncIterator[None]:
    """Sweep in the background for as long as the context lasts."""
    task = asyncio.create_task(ExpirySweeper(queue).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
