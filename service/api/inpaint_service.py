"""Runs requests: decodes the picture, queues a task, waits for its result, composites it."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread

from captionfill.imaging.canvas import Canvas
from captionfill.imaging.codec import peek_pixels
from captionfill.imaging.encoder import PNG, Encoding
from service.api.forms.form import InpaintRequest
from service.api.prepared_request import (
    InpaintResult,
    JobOrigin,
    PreparedRequest,
    check_result_size,
    choose_seed,
    composite,
    decode_request,
    stored_canvas,
)
from service.config.settings import Settings
from service.errors.queue import (
    AnswerTimeout,
    JobFailed,
    JobGone,
    NoSuchJob,
    QueueFull,
    ResultNotReady,
)
from service.errors.requests import BadRequest, BodyTooLarge
from service.queue.client import Queue
from service.queue.jobs import EnqueueResult, Job, Priority, Status, make_job_id
from service.queue.task import FILL_BYTES, InferenceTask, TaskFailure, TaskResult
from service.queue.worker_reports import WorkerRegistry

T = TypeVar("T")
# Decoded, composited and encoded within a millisecond.
_SMALL_PIXELS, _SMALL_BYTES = 128 * 128, 64 * 1024
Disconnected = Callable[[], Awaitable[None]]


class InpaintService:
    """Runs requests through the queue without blocking the event loop."""

    def __init__(self, settings: Settings, queue: Queue, registry: WorkerRegistry) -> None:
        self._settings = settings
        self._queue = queue
        self._registry = registry
        self._threads = CapacityLimiter(settings.image_threads)
        self._held_pixels = 0

    async def prepare(
        self,
        request: InpaintRequest,
        origin: JobOrigin,
        key: str = "",
        *,
        own_alpha: bool = False,
        no_cache: bool = False,
        media_type: str = PNG,
        scored: bool = True,
    ) -> PreparedRequest:
        """Decode the picture and check everything that can be checked before queueing.

        Args:
            request: with its picture.
            origin: of its job.
            key: the Idempotency-Key; a retry gets the same seed, which is derived from it.
            own_alpha: without a mask, fill the picture's own transparent pixels.
            no_cache: compute the result even if a cached one exists.
            media_type: of the pictures of the response.
            scored: whether the response may tell the score of a single candidate.

        Raises:
            CaptionfillError: the picture, region, mask or model is invalid.
        """
        if len(request.image) > self._settings.max_bytes:
            raise BodyTooLarge(f"the picture has more than {self._settings.max_bytes:,} bytes")
        model, model_version = await self._registry.resolve(request.model)
        most = self._settings.max_pixels
        mask = request.mask or (b"" if own_alpha else None)
        canvas, digest = await self._run(
            lambda: decode_request(request, mask, most), _pixels_at_most(request.image, mask)
        )
        check_result_size(canvas.picture, request, most)
        Encoding(media_type).check(canvas.picture.size)
        task = InferenceTask(
            window=canvas.windows.tobytes(),
            caption=request.caption,
            seed=choose_seed(request.seed, key, digest),
            count=request.n,
            other=request.compare,
            model=model,
            model_version=model_version,
            nonce=secrets.token_hex(8) if no_cache else "",
            temperature=request.temperature,
            scored=scored,
        )
        return PreparedRequest(request, origin, key, canvas, task, digest, media_type)

    async def fill(
        self,
        prepared: PreparedRequest,
        disconnected: Disconnected,
        wait: float | None = None,
    ) -> InpaintResult:
        """Queue a request and wait for its result, at most `wait` seconds.

        ``disconnected`` returns when the client has disconnected. Raises as `submit` and `wait`.
        """
        limit = self._settings.request_timeout
        seconds = limit if wait is None else min(wait, limit)
        with self.reserve(prepared) as completion:
            job = await self.submit(prepared)
            try:
                return await self.wait(prepared, job, completion, disconnected, seconds)
            except (AnswerTimeout, BadRequest):
                # With a key the client may come back for it, and others may be waiting for it.
                if not prepared.key:
                    await self.cancel(job.job)
                raise

    @contextmanager
    def reserve(self, prepared: PreparedRequest) -> Iterator[asyncio.Event]:
        """Count a picture against the limit of pixels in memory, and subscribe to its task.

        Yields an event that is set when the task has ended.

        Raises:
            QueueFull: the waiting pictures have too many pixels.
        """
        width, height = prepared.canvas.picture.size
        pixels = width * height
        if self._held_pixels and self._held_pixels + pixels > self._settings.max_held_pixels:
            raise QueueFull("too many large pictures are waiting")
        self._held_pixels += pixels
        try:
            with self._queue.notifier.subscribe(prepared.task.id) as completion:
                yield completion
        finally:
            self._held_pixels -= pixels

    async def submit(
        self,
        prepared: PreparedRequest,
        *,
        background: bool = False,
        priority: Priority = Priority.INTERACTIVE,
        batch: str = "",
    ) -> EnqueueResult:
        """Queue a prepared request; in the background its picture is stored.

        Raises:
            QueueFull, QuotaExceeded, Draining, KeyReused, QueueUnavailable: nothing was queued.
        """
        limits, request, origin = self._settings, prepared.request, prepared.origin
        job = Job(
            prepared.task,
            id=make_job_id(limits.namespace, origin.owner),
            priority=priority,
            seconds=limits.job_timeout if background else limits.request_timeout,
            background=background,
            meta=json.dumps(prepared.meta),
            webhook=request.webhook,
            batch=batch,
            **origin._asdict(),
        )
        upload = None
        if background:
            upload = await self._in_thread(prepared.upload)
        return await self._queue.put(job, upload, prepared.idempotency)

    async def wait(
        self,
        prepared: PreparedRequest,
        job: EnqueueResult,
        completion: asyncio.Event,
        disconnected: Disconnected,
        seconds: float,
    ) -> InpaintResult:
        """Wait for a job and composite its result.

        ``completion`` is from `reserve`, entered before the job was submitted.

        Raises:
            JobFailed, JobGone, AnswerTimeout, QueueUnavailable.
            BadRequest: the client disconnected.
        """
        if job.answered or not job.is_new:
            completion.set()
        owner = prepared.origin.owner
        waiting = asyncio.ensure_future(self._queue.wait(job.job, seconds, completion, owner))
        leaving = asyncio.ensure_future(disconnected())
        try:
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                result = waiting.result()
                return await self._composite(
                    job.job, prepared.meta, prepared.canvas, result, prepared.media_type
                )
            raise BadRequest("the client disconnected before the response")
        finally:
            waiting.cancel()
            leaving.cancel()

    async def cancel(self, job: str) -> None:
        """Cancel and delete a job; a queued one never reaches the model."""
        with suppress(NoSuchJob):
            await self._queue.cancel(job, forget=True)

    async def result(
        self, job: str, owner: str, choose: Callable[[bool], str] = lambda _: PNG
    ) -> InpaintResult:
        """The result of a client's background job.

        ``choose`` gives the media type of its pictures; it is told whether there are several.

        Raises:
            NoSuchJob, ResultNotReady, JobFailed, JobGone.
        """
        status = await self.status(job, owner)
        outcome = await self._queue.result(status)
        if outcome is None:
            raise ResultNotReady(f"the job is {status.state}")
        if isinstance(outcome, TaskFailure):
            raise JobFailed(outcome.reason)
        image = await self._queue.upload(job)
        if image is None:
            raise JobGone("the picture is not stored: the job was synchronous, or has expired")
        meta = json.loads(status.meta)
        limit = self._settings.max_pixels
        canvas = await self._in_thread(lambda: stored_canvas(image, meta, limit))
        several = len(outcome.fill.seeds) > 1 or bool(outcome.fill.others)
        return await self._composite(job, meta, canvas, outcome, choose(several))

    async def status(self, job: str, owner: str) -> Status:
        """The status of a client's job; raises `NoSuchJob` for another client's, too."""
        status = await self._queue.status(job, owner)
        if status.owner != owner:
            raise NoSuchJob("no job of yours has this id, or it has expired")
        return status

    async def _composite(
        self,
        job: str,
        meta: dict[str, Any],
        canvas: Canvas,
        outcome: TaskResult,
        media_type: str,
    ) -> InpaintResult:
        if isinstance(outcome, TaskFailure):
            raise JobFailed(outcome.reason)
        width, height = canvas.picture.size
        pixels = width * height * len(outcome.fill.fills + outcome.fill.others) // FILL_BYTES
        return await self._run(lambda: composite(job, meta, canvas, outcome, media_type), pixels)

    async def _run(self, function: Callable[[], T], pixels: int) -> T:
        """Run at once what takes less time than a thread's switch costs, else in a thread."""
        return function() if pixels <= _SMALL_PIXELS else await self._in_thread(function)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await to_thread.run_sync(function, limiter=self._threads)


def _pixels_at_most(image: bytes, mask: bytes | None) -> int:
    """The pixels of a picture in few bytes, by its header; of any other more than are small."""
    is_short = len(image) <= _SMALL_BYTES and not mask
    return (is_short and peek_pixels(image)) or _SMALL_PIXELS + 1
