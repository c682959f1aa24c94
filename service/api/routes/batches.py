"""`/batches`: many pictures in one upload, filled when there is nothing more urgent to do."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from captionfill.errors import CaptionfillError, InvalidField
from service.api.archives.zip_reader import ZipItem, ZipLimits
from service.api.archives.zip_stream import ZipStream, safe_name
from service.api.forms.batch_form import FIELDS, check_common, read_batch, request_for
from service.api.forms.headers import idempotency_key
from service.api.forms.multipart import open_form
from service.api.inpaint_service import InpaintService
from service.api.routes.dependencies import job_origin, root_path
from service.api.routes.query_parameters import no_query
from service.api.schemas import batch as batch_schemas
from service.api.schemas import inpaint
from service.api.schemas.problems import BATCH, COMMON, problems
from service.api.worker_registry import WorkerRegistry
from service.config.settings import Settings
from service.errors.capacity import QuotaExceeded
from service.errors.jobs import BatchUnfinished, NoSuchBatch
from service.errors.requests import KeyReused
from service.queue.batch_store import BatchEntry, BatchManifest, BatchStore
from service.queue.jobs import Priority

log = logging.getLogger("captionfill.api")
router = APIRouter()

BatchId = Annotated[str, Path(description="from Location", json_schema_extra=inpaint.JOB_ID)]
# An archive and its captions, or two parts for each picture; and what holds for all of them.
_FEW_MORE = 8


@router.post(
    "/batches",
    dependencies=[no_query(FIELDS)],
    status_code=202,
    response_model=batch_schemas.BatchStatus,
    responses={202: batch_schemas.ACCEPTED, **problems(*BATCH)},
    openapi_extra={
        "requestBody": batch_schemas.FORM,
        "parameters": [inpaint.IDEMPOTENCY_KEY],
    },
)
async def create_batch(request: Request) -> Response:
    """Fill many pictures: a zip with their captions, or `image` and `caption` again and again.

    What is wrong with one picture is said of that one; the others are filled.

    `curl -F archive=@pictures.zip …/batches`
    """
    settings: Settings = request.app.state.settings
    limit = settings.body_limits.get("/batches", settings.max_bytes)
    limits = ZipLimits(settings.batch_pictures, settings.max_bytes, limit)
    key = idempotency_key(request.headers)
    most_parts = 2 * limits.pictures + _FEW_MORE
    async with open_form(request, settings, most_parts) as parts:
        items, common = await to_thread.run_sync(read_batch, parts, limits)
        await _check_common(request, common)
        manifest = await _Intake(request, common, key).take(items)
    batches: BatchStore = request.app.state.batches
    await batches.save(manifest)
    status = await _describe(request, manifest)
    log.info("batch accepted", extra={"batch": manifest.id, "pictures": len(items)})
    headers = {"Location": status.links.self, "Retry-After": "1"}
    return JSONResponse(status.model_dump(), 202, headers)


@router.get("/batches/{batch}", responses=problems(NoSuchBatch, *COMMON))
async def batch_status(request: Request, batch: BatchId) -> batch_schemas.BatchStatus:
    """Tell how far each picture of a batch is."""
    return await _describe(request, await _load(request, batch))


@router.get(
    "/batches/{batch}/result",
    response_class=StreamingResponse,
    responses={
        200: batch_schemas.RESULT,
        **problems(NoSuchBatch, BatchUnfinished, InvalidField, *COMMON),
    },
)
async def batch_result(
    request: Request,
    batch: BatchId,
    partial: Annotated[
        bool, Query(description="take what is done by now", examples=[True])
    ] = False,
) -> Response:
    """Fetch the results of a batch as a zip, for as long as they are kept."""
    status = await _describe(request, await _load(request, batch))
    if status.state != "done" and not partial:
        left = status.total - status.counts.get("done", 0)
        raise BatchUnfinished(f"{left} of {status.total} pictures are not done")
    headers = {"Content-Disposition": f'attachment; filename="batch-{status.id}.zip"'}
    stream = _zip(request, status)
    return StreamingResponse(stream, media_type=batch_schemas.ZIP, headers=headers)


@router.delete(
    "/batches/{batch}",
    status_code=204,
    response_class=Response,
    responses=problems(NoSuchBatch, *COMMON),
)
async def cancel_batch(request: Request, batch: BatchId) -> Response:
    """Cancel what waits or runs of a batch, and forget the batch with all its results."""
    manifest = await _load(request, batch)
    service: InpaintService = request.app.state.inpaint_service
    for job in manifest.jobs:
        await service.cancel(job)
    await request.app.state.batches.forget(manifest)
    return Response(status_code=204)


class _Intake:
    """Turns the pictures of an upload into jobs, one after another."""

    def __init__(self, request: Request, common: Mapping[str, bytes], key: str) -> None:
        self._settings: Settings = request.app.state.settings
        self._service: InpaintService = request.app.state.inpaint_service
        self._origin = job_origin(request)
        self._common, self._key = common, key
        # With a key the batch sent again is the same batch, and its jobs are the same jobs.
        self._batch = BatchManifest.name(self._origin["owner"], key)
        self._fresh: list[str] = []  # ids alone: a job holds its picture

    async def take(self, items: Sequence[ZipItem]) -> BatchManifest:
        """Queue every picture that is good.

        Raises:
            CaptionfillError: nothing was queued: the queue is full, or the key is another batch's.
        """
        try:
            entries = [await self._entry(index, item) for index, item in enumerate(items)]
        except CaptionfillError:
            await self._undo()
            raise
        return BatchManifest(self._origin["owner"], entries, self._batch)

    async def _entry(self, index: int, item: ZipItem) -> BatchEntry:
        try:
            return BatchEntry(item.name, await self._submit(index, item))
        except KeyReused:
            raise
        except CaptionfillError as error:
            # It is not the picture's fault.
            if error.status >= 500 or isinstance(error, QuotaExceeded):
                raise
            return BatchEntry(item.name, problem=error.problem())

    async def _submit(self, index: int, item: ZipItem) -> str:
        key = f"batch:{index}:{self._key}" if self._key else ""
        form = await to_thread.run_sync(request_for, item, self._common, self._settings)
        prepared = await self._service.prepare(form, key)
        job = await self._service.submit(
            prepared,
            key=key,
            background=True,
            priority=Priority.BATCH,
            batch=self._batch,
            **self._origin,
        )
        if job.admitted.is_new:
            self._fresh.append(job.id)
        return job.id

    async def _undo(self) -> None:
        for job in self._fresh:
            await self._service.cancel(job)


async def _check_common(request: Request, common: Mapping[str, bytes]) -> None:
    """Refuse at once what would be refused of every picture."""
    registry: WorkerRegistry = request.app.state.worker_registry
    await registry.resolve(check_common(common, request.app.state.settings).model)


async def _load(request: Request, name: str) -> BatchManifest:
    batches: BatchStore = request.app.state.batches
    return await batches.load(name, request.state.caller.name)


async def _describe(request: Request, manifest: BatchManifest) -> batch_schemas.BatchStatus:
    batches: BatchStore = request.app.state.batches
    states = await batches.states(manifest)
    items = [
        batch_schemas.BatchItem(
            index=index,
            name=entry.name,
            state=states[entry.job] if entry.job else "refused",
            job_id=entry.job,
            problem=inpaint.Problem(**entry.problem) if entry.problem else None,
        )
        for index, entry in enumerate(manifest.entries, 1)
    ]
    counts = Counter(str(item.state) for item in items)
    place = f"{root_path(request)}/batches/{manifest.id}"
    return batch_schemas.BatchStatus(
        id=manifest.id,
        state="running" if counts["queued"] + counts["running"] else "done",
        total=len(items),
        counts=counts,
        items=items,
        links=batch_schemas.BatchLinks(self=place, result=f"{place}/result"),
    )


async def _zip(request: Request, status: batch_schemas.BatchStatus) -> AsyncIterator[bytes]:
    """The result, picture by picture; what goes wrong on the way is told in results.jsonl."""
    stream, lines = ZipStream(), []
    for item in status.items:
        line, image = await _result(request, item)
        lines.append(line.model_dump_json())
        if line.file:
            yield stream.add(line.file, image)
    yield stream.add("results.jsonl", "".join(f"{line}\n" for line in lines).encode())
    yield stream.finish()


async def _result(
    request: Request, item: batch_schemas.BatchItem
) -> tuple[batch_schemas.ResultLine, bytes]:
    """A line about a picture, and its PNG where it is done."""
    line = batch_schemas.ResultLine(**item.model_dump())
    if item.state not in ("done", "failed") or item.job_id is None:
        return line, b""
    service: InpaintService = request.app.state.inpaint_service
    try:
        answer = await service.result(item.job_id, request.state.caller.name)
    except CaptionfillError as error:
        problem = inpaint.Problem(**error.problem())
        return line.model_copy(update={"problem": problem}), b""
    fill = answer.result.fill
    found = {
        "seed": fill.seeds[0],
        "model": fill.model,
        "bundle": fill.bundle,
        "caption_truncated": fill.truncated,
        "caption_unknown": fill.unknown,
        "notes": answer.notes,
    }
    file = safe_name(item.index, item.name, ".png")
    return line.model_copy(update={**found, "file": file}), answer.images[0]
