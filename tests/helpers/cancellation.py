"""A call that turns its first cancellation into an error, as redis-py does while it connects."""

import asyncio


class SwallowsFirstCancellation:
    """Waits until it is cancelled; the first time it raises `error` instead.

    Attributes:
        swallowed: how many cancellations were lost.
    """

    def __init__(self, error: Exception) -> None:
        self.error, self.swallowed = error, 0

    async def __call__(self, *_: object) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError as cancelled:
            if self.swallowed:
                raise
            self.swallowed += 1
            raise self.error from cancelled
