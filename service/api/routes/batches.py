"""`/batches`: many pictures in one upload, filled with low priority."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from captionfill.errors import CaptionfillError, InvalidField
from service.api.archives.zip_reader import ZipItem, ZipLimits
from service.api.archives.zip_stream import ZipStream, safe_name
from service.api.forms.batch_form import BatchForm, read_batch
from service.api.forms.form import request_body
from service.api.forms.headers import IdempotencyKey, check_idempotency_key
from service.api.forms.multipart import open_form
from service.api.inpaint_service import InpaintService
from service.api.prepared_request import JobOrigin
from service.api.routes.common import (
    Origin,
    Owner,
    UsedBatches,
    UsedInpaintService,
    UsedRegistry,
    UsedSettings,
    no_query,
    root_path,
)
from service.api.schemas.bodies import (
    JOB_ID,
    BatchItem,
    BatchLinks,
    BatchStatus,
    Problem,
    ResultLine,
)
from service.api.schemas.problems import BATCH, COMMON, problems
from service.api.schemas.responses import BATCH_ACCEPTED, BATCH_RESULT, ZIP
from service.errors.queue import BatchUnfinished, NoSuchBatch, QuotaExceeded
from service.errors.requests import KeyReused
from service.queue.batch_store import BatchEntry, BatchManifest, BatchStore
from service.queue.jobs import Priority

log = logging.getLogger("captionfill.api")
router = APIRouter(tags=["Batches"])

BatchId = Annotated[str, Path(description="from Location", json_schema_extra=JOB_ID)]
# Parts beside the two of each picture: the common fields, or an archive and its captions.
_OTHER_PARTS = 8


@router.post(
    "/batches",
    summary="Fill many pictures",
    dependencies=[no_query(BatchForm.names())],
    status_code=202,
    response_model=BatchStatus,
    responses={202: BATCH_ACCEPTED, **problems(*BATCH)},
    openapi_extra={"requestBody": request_body(BatchForm)},
)
async def create_batch(
    request: Request,
    *,
    settings: UsedSettings,
    service: UsedInpaintService,
    registry: UsedRegistry,
    batches: UsedBatches,
    origin: Origin,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Fill many pictures: a zip with captions, or repeated fields `image` and `caption`.

    An error in one picture is reported for that picture only; the others are filled.

    `curl -F archive=@pictures.zip …/batches`
    """
    limit = settings.body_limits.get("/batches", settings.max_bytes)
    limits = ZipLimits(settings.batch_pictures, settings.max_bytes, limit)
    key = check_idempotency_key(idempotency_key)
    max_parts = 2 * limits.pictures + _OTHER_PARTS
    async with open_form(request, settings, max_parts) as parts:
        items, form = await to_thread.run_sync(read_batch, parts, limits)
        await registry.resolve(form.model)  # an unknown model is refused once, not per picture
        manifest = await _BatchSubmission(service, form, origin, key).submit_all(items)
    await batches.save(manifest)
    status = await _status(request, batches, manifest)
    log.info("batch accepted", extra={"batch": manifest.id, "pictures": len(items)})
    headers = {"Location": status.links.self, "Retry-After": "1"}
    return JSONResponse(status.model_dump(), 202, headers)


@router.get(
    "/batches/{batch}",
    summary="State of a batch",
    responses=problems(NoSuchBatch, *COMMON),
)
async def batch_status(
    request: Request, batch: BatchId, batches: UsedBatches, owner: Owner
) -> BatchStatus:
    """Return the state of each picture of a batch."""
    return await _status(request, batches, await batches.load(batch, owner))


@router.get(
    "/batches/{batch}/result",
    summary="Results of a batch as a zip",
    response_class=StreamingResponse,
    responses={
        200: BATCH_RESULT,
        **problems(NoSuchBatch, BatchUnfinished, InvalidField, *COMMON),
    },
)
async def batch_result(
    request: Request,
    batch: BatchId,
    *,
    service: UsedInpaintService,
    batches: UsedBatches,
    owner: Owner,
    partial: Annotated[
        bool, Query(description="return the results so far", examples=[True])
    ] = False,
) -> Response:
    """Fetch the results of a batch as a zip, until they expire."""
    status = await _status(request, batches, await batches.load(batch, owner))
    if status.state != "done" and not partial:
        left = status.total - status.counts.get("done", 0)
        raise BatchUnfinished(f"{left} of {status.total} pictures are not done")
    headers = {"Content-Disposition": f'attachment; filename="batch-{status.id}.zip"'}
    stream = _zip(service, owner, status)
    return StreamingResponse(stream, media_type=ZIP, headers=headers)


@router.delete(
    "/batches/{batch}",
    summary="Cancel and delete a batch",
    status_code=204,
    response_class=Response,
    responses=problems(NoSuchBatch, *COMMON),
)
async def cancel_batch(
    batch: BatchId, service: UsedInpaintService, batches: UsedBatches, owner: Owner
) -> Response:
    """Cancel the queued and running jobs of a batch, and delete the batch with all its results."""
    manifest = await batches.load(batch, owner)
    for job in manifest.jobs:
        await service.cancel(job)
    await batches.forget(manifest)
    return Response(status_code=204)


class _BatchSubmission:
    """Submits the pictures of an upload as jobs, one after another."""

    def __init__(
        self, service: InpaintService, form: BatchForm, origin: JobOrigin, key: str
    ) -> None:
        self._service, self._form, self._origin, self._key = service, form, origin, key
        # With a key, a repeated upload is the same batch, and its jobs are the same jobs.
        self._batch = BatchManifest.name(origin.owner, key)
        self._new_jobs: list[str] = []

    async def submit_all(self, items: Sequence[ZipItem]) -> BatchManifest:
        """Submit every valid picture; an error of the queue or the key leaves nothing queued."""
        try:
            entries = [await self._entry(index, item) for index, item in enumerate(items)]
        except CaptionfillError:
            for job in self._new_jobs:
                await self._service.cancel(job)
            raise
        return BatchManifest(self._origin.owner, entries, self._batch)

    async def _entry(self, index: int, item: ZipItem) -> BatchEntry:
        try:
            return BatchEntry(item.name, await self._submit(index, item))
        except (KeyReused, QuotaExceeded):
            raise
        except CaptionfillError as error:
            if error.status >= 500:  # not an error of the picture
                raise
            return BatchEntry(item.name, problem=error.problem())

    async def _submit(self, index: int, item: ZipItem) -> str:
        key = f"batch:{index}:{self._key}" if self._key else ""
        request = await to_thread.run_sync(self._form.request_for, item)
        prepared = await self._service.prepare(request, self._origin, key)
        job = await self._service.submit(
            prepared, background=True, priority=Priority.BATCH, batch=self._batch
        )
        if job.is_new:
            self._new_jobs.append(job.job)
        return job.job


async def _status(request: Request, batches: BatchStore, manifest: BatchManifest) -> BatchStatus:
    states = await batches.states(manifest)
    items = [
        BatchItem(
            index=index,
            name=entry.name,
            state=states[entry.job] if entry.job else "refused",
            job_id=entry.job,
            problem=Problem(**entry.problem) if entry.problem else None,
        )
        for index, entry in enumerate(manifest.entries, 1)
    ]
    counts = Counter(str(item.state) for item in items)
    place = f"{root_path(request)}/batches/{manifest.id}"
    return BatchStatus(
        id=manifest.id,
        state="running" if counts["queued"] + counts["running"] else "done",
        total=len(items),
        counts=counts,
        items=items,
        links=BatchLinks(self=place, result=f"{place}/result"),
    )


async def _zip(service: InpaintService, owner: str, status: BatchStatus) -> AsyncIterator[bytes]:
    """The result, picture by picture; errors on the way are reported in results.jsonl."""
    stream, lines = ZipStream(), []
    for item in status.items:
        line, image = await _result(service, owner, item)
        lines.append(line.model_dump_json())
        if line.file:
            yield stream.add(line.file, image)
    yield stream.add("results.jsonl", "".join(f"{line}\n" for line in lines).encode())
    yield stream.finish()


async def _result(service: InpaintService, owner: str, item: BatchItem) -> tuple[ResultLine, bytes]:
    """The line of a picture in results.jsonl, and its PNG if it is done."""
    line = ResultLine(**item.model_dump())
    if item.state not in ("done", "failed") or item.job_id is None:
        return line, b""
    try:
        result = await service.result(item.job_id, owner)
    except CaptionfillError as error:
        return line.model_copy(update={"problem": Problem(**error.problem())}), b""
    fill = result.task.fill
    update = {
        "file": safe_name(item.index, item.name, ".png"),
        "seed": fill.seeds[0],
        "model": fill.model,
        "bundle": fill.bundle,
        "caption_truncated": fill.truncated,
        "caption_unknown": fill.unknown,
        "notes": result.notes,
    }
    return line.model_copy(update=update), result.images[0]
