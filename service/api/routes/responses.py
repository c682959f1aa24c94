"""Answers on the wire: PNG, or JSON with base64 PNGs, and headers that tell how it was made."""

import base64
import hashlib
import math

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from captionfill.imaging.geometry import Window
from service.api.forms.headers import etag_matches
from service.api.forms.inpaint_form import JSON, PNG
from service.api.inpaint_service import InpaintResult, SubmittedJob
from service.api.schemas import inpaint
from service.queue.jobs import Status

# A copy may be kept by the client alone, who must ask whether it is still good.
_CACHING = "private, no-cache"


def etag(name: str, model_version: str, media_type: str) -> str:
    """The entity tag of an answer: content-addressed over everything that decides the pictures.

    The JSON tells times that differ from one making to the next: its tag is a weak one.
    """
    digest = hashlib.sha256(f"{name}\n{model_version}\n{media_type}".encode()).hexdigest()
    return f'"{digest}"' if media_type == PNG else f'W/"{digest}"'


def not_modified(request: Request, tag: str) -> Response | None:
    """304 where the client has the answer already."""
    if not etag_matches(request.headers.get("if-none-match"), tag):
        return None
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": _CACHING})


def result_response(answer: InpaintResult, media_type: str) -> Response:
    """The answer as the client wants it."""
    headers = _headers(answer, media_type)
    if media_type == JSON:
        return JSONResponse(result_body(answer).model_dump(), headers=headers)
    return Response(answer.images[0], media_type=PNG, headers=headers)


def accepted_response(status: Status, applied: dict[str, str], root: str = "") -> Response:
    """202: where the job is, and when to look.

    Args:
        status: of the job.
        applied: headers that tell which preferences were applied.
        root: path that the service is published under.
    """
    pause = max(1, math.ceil(status.estimate or 1))
    headers = {"Location": f"{root}/jobs/{status.id}", "Retry-After": str(pause), **applied}
    return JSONResponse(status_body(status, root).model_dump(), 202, headers)


def status_body(status: Status, root: str = "") -> inpaint.JobStatus:
    """A job's status for its client, with links below the root path."""
    return inpaint.JobStatus(
        id=status.id,
        state=status.state,
        position=status.position,
        estimate_seconds=status.estimate,
        created=status.created / 1000,
        deadline=status.deadline / 1000,
        reason=status.reason or None,
        links=inpaint.JobLinks(
            self=f"{root}/jobs/{status.id}",
            result=f"{root}/jobs/{status.id}/result",
            events=f"{root}/jobs/{status.id}/events",
        ),
    )


def result_body(answer: InpaintResult) -> inpaint.InpaintAnswer:
    """The JSON of an answer."""
    window, result, fill = Window.around(answer.region), answer.result, answer.result.fill
    comparison = None
    if answer.others:
        comparison = inpaint.Comparison(images=_encode(answer.others), levels=answer.differences)
    return inpaint.InpaintAnswer(
        job_id=answer.job,
        seeds=list(fill.seeds),
        images=_encode(answer.images),
        scores=list(fill.scores) or None,
        comparison=comparison,
        caption_truncated=fill.truncated,
        caption_unknown=fill.unknown,
        model=fill.model,
        bundle=fill.bundle,
        engine=fill.engine,
        queue_ms=result.queue_ms,
        inference_ms=result.inference_ms,
        batch_size=result.batch_size,
        notes=answer.notes,
        region=answer.region,
        window=(*window.corner, 2 * window.side),
    )


def result_log_fields(answer: InpaintResult) -> dict[str, object]:
    """What the log may know: neither picture nor caption."""
    return {
        "job": answer.job,
        "candidates": len(answer.images),
        "queue_ms": answer.result.queue_ms,
        "inference_ms": answer.result.inference_ms,
        "batch_size": answer.result.batch_size,
    }


def job_log_fields(submitted: SubmittedJob) -> dict[str, object]:
    """What the log may know of a job that goes on by itself."""
    job = submitted.job
    return {"job": submitted.id, "priority": str(job.priority), "candidates": job.task.count}


def caption_headers(answer: InpaintResult) -> dict[str, str]:
    """What became of the captions."""
    fill = answer.result.fill
    return {
        "X-Caption-Truncated": str(fill.truncated).lower(),
        "X-Caption-Unknown": str(fill.unknown).lower(),
    }


def _headers(answer: InpaintResult, media_type: str) -> dict[str, str]:
    result, fill = answer.result, answer.result.fill
    notes = {"X-Notes": "; ".join(answer.notes)} if answer.notes else {}
    return {
        "ETag": etag(answer.name, fill.model_version, media_type),
        "Cache-Control": _CACHING,
        "Vary": "Accept",
        "X-Job-Id": answer.job,
        "X-Seed": str(fill.seeds[0]),
        "X-Model": fill.model,
        "X-Bundle-Digest": fill.bundle,
        "X-Engine": fill.engine,
        "X-Queue-Ms": f"{result.queue_ms:g}",
        "X-Inference-Ms": f"{result.inference_ms:g}",
        "X-Batch-Size": str(result.batch_size),
        **caption_headers(answer),
        **notes,
    }


def _encode(images: list[bytes]) -> list[str]:
    return [base64.b64encode(image).decode() for image in images]
