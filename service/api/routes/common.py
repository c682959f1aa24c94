"""What several routes share: dependencies, and responses with results and the status of jobs."""

import base64
import hashlib
import math
from collections.abc import Collection
from typing import Annotated, Any, cast

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse

from captionfill.errors import InvalidField
from service.api.forms.headers import JSON
from service.api.inpaint_service import InpaintService
from service.api.prepared_request import InpaintResult, JobOrigin
from service.api.schemas.bodies import Comparison, InpaintAnswer, JobLinks, JobStatus
from service.auth.event_url import sign
from service.config.settings import Settings
from service.observability import current_traceparent
from service.queue.batch_store import BatchStore
from service.queue.client import Queue
from service.queue.jobs import Status
from service.queue.worker_reports import WorkerRegistry

# Only the client may cache a result, and must revalidate it.
_CACHING = "private, no-cache"


def _from_app(name: str) -> Any:
    """A dependency: an attribute of the application's state."""

    async def read(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(read)


async def _owner(request: Request) -> str:
    return cast(str, request.state.caller.name)


async def _origin(request: Request) -> JobOrigin:
    state = request.state
    return JobOrigin(state.caller.name, state.caller_id, state.request_id, current_traceparent())


UsedSettings = Annotated[Settings, _from_app("settings")]
UsedQueue = Annotated[Queue, _from_app("queue")]
UsedInpaintService = Annotated[InpaintService, _from_app("inpaint_service")]
UsedRegistry = Annotated[WorkerRegistry, _from_app("worker_registry")]
UsedBatches = Annotated[BatchStore, _from_app("batches")]
# The name under which the caller's jobs and batches are kept.
Owner = Annotated[str, Depends(_owner)]
Origin = Annotated[JobOrigin, Depends(_origin)]


def root_path(request: Request) -> str:
    """The path that the service is published under, for links; empty at the root of a host."""
    root: str = request.scope.get("root_path", "")
    return root


async def wait_disconnect(request: Request) -> None:
    """Return when the client has disconnected."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def no_query(fields: Collection[str] = ()) -> Any:
    """A dependency that raises `InvalidField` for every query parameter.

    If they were ignored, `POST /inpaint?seed=5` would be answered with a random seed.

    Args:
        fields: of the route's form; the error says that they belong there.
    """

    async def refuse(request: Request) -> None:
        for name in request.query_params:
            if name in fields:
                raise InvalidField(f"{name} is a field of the form, not a query parameter")
            raise InvalidField(f"unknown query parameter {name[:40]!r}; this route takes none")

    return Depends(refuse)


def etag(name: str, model_version: str, media_type: str) -> str:
    """The entity tag of a result, a hash of everything that decides its pictures.

    The tag of JSON is weak, as the JSON contains times.
    """
    digest = hashlib.sha256(f"{name}\n{model_version}\n{media_type}".encode()).hexdigest()
    return f'"{digest}"' if media_type != JSON else f'W/"{digest}"'


def not_modified(tag: str) -> Response:
    """304 for a client that has the result."""
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": _CACHING})


def result_response(result: InpaintResult, media_type: str) -> Response:
    """The result in the media type that the client accepts."""
    headers = _headers(result, media_type)
    if media_type == JSON:
        return JSONResponse(_body(result).model_dump(), headers=headers)
    return Response(result.images[0], media_type=media_type, headers=headers)


def job_accepted(status: Status, applied: dict[str, str], root: str = "") -> Response:
    """202 with the job's address, the applied preferences, and when to ask for its status."""
    pause = max(1, math.ceil(status.estimate or 1))
    headers = {"Location": f"{root}/jobs/{status.id}", "Retry-After": str(pause), **applied}
    return JSONResponse(status_body(status, root).model_dump(), 202, headers)


def status_body(status: Status, root: str = "", token: str = "") -> JobStatus:
    """A job's status as JSON model, with links below the root path.

    A given token is that of `event_source`, so that events do not renew the address that they are
    read from; by default there is a new one.
    """
    events = f"{root}/jobs/{status.id}/events"
    token = token or (sign(status.id, status.secret) if status.secret else "")
    return JobStatus(
        id=status.id,
        state=status.state,
        position=status.position,
        estimate_seconds=status.estimate,
        created=status.created / 1000,
        deadline=status.deadline / 1000,
        reason=status.reason or None,
        links=JobLinks(
            self=f"{root}/jobs/{status.id}",
            result=f"{root}/jobs/{status.id}/result",
            events=events,
            event_source=f"{events}?token={token}" if token else events,
        ),
    )


def log_fields(result: InpaintResult) -> dict[str, object]:
    """Fields for the log: neither picture nor caption."""
    return {
        "job": result.job,
        "candidates": len(result.images),
        "queue_ms": result.task.queue_ms,
        "inference_ms": result.task.inference_ms,
        "batch_size": result.task.batch_size,
    }


def caption_headers(result: InpaintResult) -> dict[str, str]:
    """Whether the encoder could read the captions."""
    fill = result.task.fill
    return {
        "X-Caption-Truncated": str(fill.truncated).lower(),
        "X-Caption-Unknown": str(fill.unknown).lower(),
    }


def _body(result: InpaintResult) -> InpaintAnswer:
    task, fill = result.task, result.task.fill
    comparison = None
    if result.others:
        comparison = Comparison(images=_encode(result.others), levels=result.differences)
    return InpaintAnswer(
        job_id=result.job,
        seeds=list(fill.seeds),
        images=_encode(result.images),
        scores=list(fill.scores) or None,
        comparison=comparison,
        caption_truncated=fill.truncated,
        caption_unknown=fill.unknown,
        model=fill.model,
        bundle=fill.bundle,
        engine=fill.engine,
        queue_ms=task.queue_ms,
        inference_ms=task.inference_ms,
        batch_size=task.batch_size,
        notes=result.notes,
        region=list(result.region),
        window=list(result.windows[0]),
        windows=[list(one) for one in result.windows],
    )


def _headers(result: InpaintResult, media_type: str) -> dict[str, str]:
    task, fill = result.task, result.task.fill
    notes = {"X-Notes": "; ".join(result.notes)} if result.notes else {}
    return {
        "ETag": etag(result.name, fill.model_version, media_type),
        "Cache-Control": _CACHING,
        "Vary": "Accept",
        "X-Job-Id": result.job,
        "X-Seed": str(fill.seeds[0]),
        "X-Model": fill.model,
        "X-Bundle-Digest": fill.bundle,
        "X-Engine": fill.engine,
        "X-Queue-Ms": f"{task.queue_ms:g}",
        "X-Inference-Ms": f"{task.inference_ms:g}",
        "X-Batch-Size": str(task.batch_size),
        **caption_headers(result),
        **notes,
    }


def _encode(images: list[bytes]) -> list[str]:
    return [base64.b64encode(image).decode() for image in images]
