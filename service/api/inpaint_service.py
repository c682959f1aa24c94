"""One request through the service: decode, queue, wait, compose."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from anyio import CapacityLimiter, to_thread

from captionfill.errors import PictureTooLarge
from captionfill.imaging.canvas import Canvas, unpack_fills
from captionfill.imaging.codec import Picture, strip_metadata
from captionfill.imaging.geometry import Region
from service.api.forms.inpaint_form import InpaintRequest
from service.api.forms.upload_checks import check_picture
from service.api.worker_registry import WorkerRegistry
from service.config.settings import Settings
from service.errors.capacity import QueueFull
from service.errors.jobs import JobFailed, JobGone, NoSuchJob, ResultNotReady
from service.errors.requests import BadRequest
from service.queue.client import EnqueueResult, IdempotencyKey, Queue
from service.queue.job_ids import make_job_id
from service.queue.jobs import Job, Priority, Status
from service.queue.task import SEEDS, InferenceTask, TaskFailure, TaskResult, TaskSuccess

T = TypeVar("T")


@dataclass(frozen=True)
class PreparedRequest:
    """A request that has been looked at in full, and what it asks of the model.

    Attributes:
        name: SHA-256 over picture, region, captions, seed, count and temperature; with a bundle's
            model_version it names the answer.
        fingerprint: SHA-256 over the request as it was sent.
    """

    canvas: Canvas
    task: InferenceTask
    image: bytes
    name: str
    fingerprint: str
    webhook: str = ""


@dataclass(frozen=True)
class SubmittedJob:
    """A request's place in the queue; its job may be an older one, of the same Idempotency-Key."""

    prepared: PreparedRequest
    job: Job
    admitted: EnqueueResult

    @property
    def id(self) -> str:
        """The job's id."""
        return self.admitted.job


@dataclass(frozen=True)
class InpaintResult:
    """What goes back to the client: pictures, and those by the second caption where there is one.

    Attributes:
        name: as of `PreparedRequest`.
        differences: of each pair of fills by the two captions, mean absolute difference in 8-bit
            levels.
        notes: what of the upload is not in the pictures, a sentence each.
    """

    job: str
    name: str
    result: TaskSuccess
    region: Region
    images: list[bytes]
    others: list[bytes]
    differences: list[float]
    notes: list[str]


class InpaintService:
    """Carries requests through the queue, without ever blocking the event loop."""

    def __init__(self, settings: Settings, queue: Queue, registry: WorkerRegistry) -> None:
        self._settings = settings
        self._queue = queue
        self._registry = registry
        self._threads = CapacityLimiter(settings.image_threads)
        self._held_pixels = 0

    async def prepare(
        self, request: InpaintRequest, key: str = "", *, no_cache: bool = False
    ) -> PreparedRequest:
        """Decode and check everything about a request that can be checked.

        Args:
            request: with its picture.
            key: what a random seed is made of, so that a retry asks for the same.
            no_cache: the client wants it computed, whether or not the answer is kept.

        Raises:
            CaptionfillError: whatever is wrong with picture, region or model.
        """
        model, model_version = await self._registry.resolve(request.model)
        canvas, fingerprint = await self._in_thread(lambda: self._open(request))
        self._check_answer_size(canvas.picture, request)
        task = InferenceTask(
            window=canvas.window.tobytes(),
            caption=request.caption,
            seed=_seed(request.seed, key, fingerprint),
            count=request.count,
            other=request.other,
            model=model,
            model_version=model_version,
            nonce=secrets.token_hex(8) if no_cache else "",
            temperature=request.temperature,
        )
        name = _name_of(request, canvas.region, task)
        return PreparedRequest(canvas, task, request.image, name, fingerprint, request.webhook)

    @contextmanager
    def reserve(self, prepared: PreparedRequest) -> Iterator[asyncio.Event]:
        """Keep a picture in memory until its answer, and listen for it.

        Pictures are counted by their pixels: the queue's depth does not bound them.

        Raises:
            QueueFull: too many wait already.
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
        owner: str,
        *,
        account: str = "local",
        key: str = "",
        background: bool = False,
        priority: Priority = Priority.INTERACTIVE,
        batch: str = "",
        request_id: str = "",
        traceparent: str = "",
    ) -> SubmittedJob:
        """Put a prepared request into the queue.

        Args:
            prepared: the request.
            owner: name of the caller.
            account: whose quota of stored bytes it is charged to, if it is a background job.
            key: the client's Idempotency-Key, or empty.
            background: the client comes back for the result, so its picture is kept.
            priority: its priority.
            batch: the batch it belongs to, or empty.
            request_id: of the HTTP request.
            traceparent: of the HTTP request, or empty.

        Raises:
            QueueFull, QuotaExceeded, Draining, KeyReused, QueueUnavailable: nothing was queued.
        """
        limits = self._settings
        job = Job(
            prepared.task,
            owner=owner,
            account=account,
            id=make_job_id(limits.namespace, owner),
            priority=priority,
            seconds=limits.job_timeout if background else limits.request_timeout,
            background=background,
            meta=json.dumps(_meta(prepared)),
            webhook=prepared.webhook,
            batch=batch,
            request_id=request_id,
            traceparent=traceparent,
        )
        named = None
        if key:
            scoped = hashlib.sha256(f"{owner}\n{key}".encode()).hexdigest()
            named = IdempotencyKey(scoped, prepared.fingerprint)
        upload = (
            await self._in_thread(lambda: strip_metadata(prepared.image)) if background else None
        )
        return SubmittedJob(prepared, job, await self._queue.put(job, upload, named))

    async def wait(
        self,
        job: SubmittedJob,
        completion: asyncio.Event,
        gone: Callable[[], Awaitable[None]],
        seconds: float,
    ) -> InpaintResult:
        """Wait for a job, and compose its answer.

        Args:
            job: from `submit`.
            completion: from `reserve`, entered before the job was put in.
            gone: returns when the client has left, which ends a job that is this client's alone.
            seconds: how long to wait.

        Raises:
            JobFailed, JobGone, AnswerTimeout, QueueUnavailable.
        """
        prepared, admitted = job.prepared, job.admitted
        if admitted.answered or not admitted.is_new:
            completion.set()
        waiting = asyncio.ensure_future(
            self._queue.wait(job.id, seconds, completion, job.job.owner)
        )
        leaving = asyncio.ensure_future(gone())
        try:
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                outcome = waiting.result()
                return await self._compose(job.id, _meta(prepared), prepared.canvas, outcome)
            raise BadRequest("the client left before the answer")
        finally:
            waiting.cancel()
            leaving.cancel()

    async def cancel(self, name: str) -> None:
        """Forget a job nobody waits for: a worker drops it before the model sees it."""
        with suppress(NoSuchJob):
            await self._queue.cancel(name, forget=True)

    async def result(self, name: str, owner: str) -> InpaintResult:
        """The answer of a job that a client comes back for.

        Raises:
            NoSuchJob: it is not known, or another's.
            ResultNotReady, JobFailed, JobGone.
        """
        status = await self.status(name, owner)
        outcome = await self._queue.outcome(status)
        if outcome is None:
            raise ResultNotReady(f"the job is {status.state}")
        if isinstance(outcome, TaskFailure):
            raise JobFailed(outcome.reason)
        image = await self._queue.upload(name)
        if image is None:
            raise JobGone("the picture is not kept: the result went out at once, or has expired")
        meta = json.loads(status.meta)
        region = ",".join(map(str, meta["region"]))
        limit = self._settings.max_pixels
        canvas = await self._in_thread(lambda: Canvas.open(image, region, limit))
        return await self._compose(name, meta, canvas, outcome)

    async def status(self, name: str, owner: str) -> Status:
        """What is known of a client's job; `NoSuchJob` for another's, too."""
        status = await self._queue.status(name, owner)
        if status.owner != owner:
            raise NoSuchJob("no job of yours has this id, or it has expired")
        return status

    async def _compose(
        self, job: str, meta: dict[str, Any], canvas: Canvas, outcome: TaskResult
    ) -> InpaintResult:
        if isinstance(outcome, TaskFailure):
            raise JobFailed(outcome.reason)
        fill = outcome.fill
        images = await self._in_thread(lambda: canvas.composite_pngs(unpack_fills(fill.fills)))
        others = await self._in_thread(lambda: canvas.composite_pngs(unpack_fills(fill.others)))
        differences = _differences(fill.fills, fill.others) if others else []
        # The kept picture lacks what was dropped; a job that an older version queued has no notes.
        notes = list(meta.get("notes", []))
        return InpaintResult(
            job, meta["name"], outcome, canvas.region, images, others, differences, notes
        )

    def _open(self, request: InpaintRequest) -> tuple[Canvas, str]:
        check_picture("image", request.image)
        canvas = Canvas.open(request.image, request.region, self._settings.max_pixels, request.mask)
        return canvas, request.fingerprint()

    def _check_answer_size(self, picture: Picture, request: InpaintRequest) -> None:
        """Bound the answer as the upload is bounded: eight candidates are eight pictures."""
        width, height = picture.size
        limit = self._settings.max_pixels
        compared, each = ("", 1) if request.other is None else (" with compare", 2)
        most = limit // (each * width * height)
        if request.count > most:
            what = f"n is at most {most}{compared}" if most else "compare is not possible"
            raise PictureTooLarge(
                f"{what} for a picture of {width}×{height}: the pictures of an answer have at most "
                f"{limit:,} pixels together"
            )

    async def _in_thread(self, task: Callable[[], T]) -> T:
        return await to_thread.run_sync(task, limiter=self._threads)


def _meta(prepared: PreparedRequest) -> dict[str, Any]:
    """What composes an answer later, beside the picture."""
    notes = prepared.canvas.picture.notes
    told: dict[str, Any] = {"notes": notes} if notes else {}
    return {"region": prepared.canvas.region, "name": prepared.name, **told}


def _seed(given: int | None, key: str, fingerprint: str) -> int:
    if given is not None:
        return given
    if not key:
        return secrets.randbelow(SEEDS)
    named = hashlib.sha256(f"{key}\n{fingerprint}".encode()).digest()
    return int.from_bytes(named[:4], "big")


def _name_of(request: InpaintRequest, region: Region, task: InferenceTask) -> str:
    image, mask = (
        hashlib.sha256(part or b"").hexdigest() for part in (request.image, request.mask)
    )
    facts: list[Any] = [image, mask, region, task.caption, task.other, task.seed, task.count]
    facts += [] if task.temperature == 1 else [task.temperature]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _differences(fills: bytes, others: bytes) -> list[float]:
    one, two = unpack_fills(fills).astype(np.int16), unpack_fills(others).astype(np.int16)
    return [round(float(np.abs(a - b).mean()), 3) for a, b in zip(one, two, strict=True)]
