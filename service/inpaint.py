"""One request through the service: decode, queue, wait, compose."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from anyio import CapacityLimiter, to_thread

from service.errors import BadRequest, JobFailed, PictureTooLarge, QueueFull
from service.images import Picture, read_picture, write_png
from service.jobs import Failure, Job, Outcome, Result
from service.queue import Queue
from service.requests import InpaintRequest
from service.settings import Settings
from service.window import HOLE, Region, Window, choose_region, compose, context

T = TypeVar("T")


@dataclass(frozen=True)
class Canvas:
    """A decoded picture, the region of it to fill, and what the networks will see of it."""

    picture: Picture
    region: Region
    window: bytes

    @classmethod
    def open(cls, image: bytes, region: str | None, max_pixels: int) -> "Canvas":
        """Decode and check a picture, and scale the window around its region."""
        picture = read_picture(image, max_pixels)
        chosen = choose_region(region, picture.size)
        cells = context(picture.rgb, Window.around(chosen))
        return cls(picture, chosen, cells.tobytes())

    def complete(self, fills: bytes) -> list[bytes]:
        """The picture as PNG with each fill in its place."""
        squares = np.frombuffer(fills, np.uint8).reshape(-1, HOLE, HOLE, 3)
        return [write_png(compose(self.picture, self.region, square)) for square in squares]


@dataclass(frozen=True)
class Answer:
    """What goes back to the client."""

    job: Job
    result: Result
    region: Region
    images: list[bytes]


class Inpainter:
    """Carries requests through the queue, without ever blocking the event loop."""

    def __init__(self, settings: Settings, queue: Queue) -> None:
        self._settings = settings
        self._queue = queue
        self._threads = CapacityLimiter(settings.decoders)
        self._held_pixels = 0

    async def fill(self, request: InpaintRequest, gone: Callable[[], Awaitable[None]]) -> Answer:
        """Fill a picture; give up as soon as ``gone`` returns, which says that the client left.

        Raises:
            ServiceError: whatever is wrong with the picture, the queue or the job.
        """
        canvas = await self._in_thread(
            lambda: Canvas.open(request.image, request.region, self._settings.max_pixels)
        )
        self._check_answer_size(canvas.picture, request.count)
        job = Job.new(canvas.window, request.caption, request.seed, request.count)
        with self._hold(canvas.picture):
            await self._queue.put(job)
            outcome = await self._outcome(job, gone)
            if isinstance(outcome, Failure):
                raise JobFailed(outcome.reason)
            images = await self._in_thread(lambda: canvas.complete(outcome.fills))
        return Answer(job, outcome, canvas.region, images)

    async def _outcome(self, job: Job, gone: Callable[[], Awaitable[None]]) -> Outcome:
        waiting = asyncio.ensure_future(self._queue.wait(job.id))
        leaving = asyncio.ensure_future(gone())
        try:
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            await self._queue.abandon(job.id)
            raise BadRequest("the client left before the answer")
        finally:
            waiting.cancel()
            leaving.cancel()

    def _check_answer_size(self, picture: Picture, count: int) -> None:
        """Bound the answer as the upload is bounded: eight candidates are eight pictures."""
        width, height = picture.size
        limit = self._settings.max_pixels
        if count * width * height > limit:
            raise PictureTooLarge(
                f"{count} candidates of {width}×{height} are over {limit:,} pixels"
            )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=self._threads)

    @contextmanager
    def _hold(self, picture: Picture) -> Iterator[None]:
        """Count the pictures in memory by their pixels: the queue's depth does not bound them."""
        width, height = picture.size
        pixels = width * height
        if self._held_pixels and self._held_pixels + pixels > self._settings.max_held_pixels:
            raise QueueFull("too many large pictures are waiting")
        self._held_pixels += pixels
        try:
            yield
        finally:
            self._held_pixels -= pixels
