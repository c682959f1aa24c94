"""Builds responses: results as PNG or JSON with their headers, and the status of jobs."""

import base64
import hashlib
import math

from fastapi import Response
from fastapi.responses import JSONResponse

from captionfill.imaging.geometry import Window
from service.api.forms.headers import JSON, PNG
from service.api.inpaint_service import InpaintResult
from service.api.schemas.inpaint import Comparison, InpaintAnswer, JobLinks, JobStatus
from service.queue.jobs import EnqueueResult, Priority, Status
from service.queue.task import InferenceTask

# Only the client may cache a result, and must revalidate it.
_CACHING = "private, no-cache"


def etag(name: str, model_version: str, media_type: str) -> str:
    """The entity tag of a result, a hash of everything that decides its pictures.

    The tag of JSON is weak, as the JSON contains times.
    """
    digest = hashlib.sha256(f"{name}\n{model_version}\n{media_type}".encode()).hexdigest()
    return f'"{digest}"' if media_type == PNG else f'W/"{digest}"'


def not_modified(tag: str) -> Response:
    """304 for a client that has the result already."""
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": _CACHING})


def result_response(result: InpaintResult, media_type: str) -> Response:
    """The result in the media type that the client accepts."""
    headers = _headers(result, media_type)
    if media_type == JSON:
        return JSONResponse(_body(result).model_dump(), headers=headers)
    return Response(result.images[0], media_type=PNG, headers=headers)


def job_accepted(status: Status, applied: dict[str, str], root: str = "") -> Response:
    """202 with the job's address and the time after which to ask for its status.

    Args:
        status: of the job.
        applied: headers that name the applied preferences.
        root: path that the service is published under.
    """
    pause = max(1, math.ceil(status.estimate or 1))
    headers = {"Location": f"{root}/jobs/{status.id}", "Retry-After": str(pause), **applied}
    return JSONResponse(status_body(status, root).model_dump(), 202, headers)


def status_body(status: Status, root: str = "") -> JobStatus:
    """A job's status as JSON model, with links below the root path."""
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
            events=f"{root}/jobs/{status.id}/events",
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


def job_log_fields(job: EnqueueResult, task: InferenceTask) -> dict[str, object]:
    """Fields for the log of a queued job."""
    return {"job": job.job, "priority": str(Priority.INTERACTIVE), "candidates": task.count}


def caption_headers(result: InpaintResult) -> dict[str, str]:
    """Whether the encoder could read the captions."""
    fill = result.task.fill
    return {
        "X-Caption-Truncated": str(fill.truncated).lower(),
        "X-Caption-Unknown": str(fill.unknown).lower(),
    }


def _body(result: InpaintResult) -> InpaintAnswer:
    window, task, fill = Window.around(result.region), result.task, result.task.fill
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
        region=result.region,
        window=(*window.corner, 2 * window.side),
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
