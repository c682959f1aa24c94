"""The routes: HTTP in, HTTP out, and nothing in between."""

import base64
import logging

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from service import errors, schemas
from service.forms import read_form
from service.inpaint import Answer, Inpainter
from service.queue import Queue
from service.requests import JSON, PNG, InpaintRequest, choose_media_type
from service.settings import Settings
from service.window import Window

log = logging.getLogger("captionfill.api")
router = APIRouter()

_ELSEWHERE = (
    errors.StartError, errors.NotReady, errors.NoSuchPage, errors.NoSuchBatch,
    errors.BatchUnfinished, errors.BatchTooLarge,
)  # fmt: skip
_INPAINT_ERRORS = [kind for kind in errors.catalogue().values() if kind not in _ELSEWHERE]


@router.post(
    "/inpaint",
    response_class=Response,
    responses={
        200: {
            "description": "The filled picture at the upload's own size.",
            "headers": schemas.ANSWER_HEADERS,
            "content": {
                PNG: {"schema": {"type": "string", "format": "binary"}},
                JSON: {"schema": {"$ref": "#/components/schemas/InpaintAnswer"}},
            },
        },
        **schemas.problems(*_INPAINT_ERRORS),
    },
    openapi_extra={"requestBody": schemas.FORM},
)
async def inpaint(request: Request) -> Response:
    """Fill the hidden region of a picture from what surrounds it and from a caption.

    What lies in the region is never read, and nothing outside it is changed.

    `curl -F image=@photo.jpg -F 'caption=a dog in the snow' -o filled.png …/inpaint`
    """
    settings: Settings = request.app.state.settings
    inpainter: Inpainter = request.app.state.inpainter
    asked = InpaintRequest.from_form(await read_form(request, settings), settings)
    media_type = choose_media_type(request.headers.get("accept"), asked.count)
    answer = await inpainter.fill(asked, lambda: _gone(request))
    log.info("filled", extra=_facts(answer))
    if media_type == JSON:
        return JSONResponse(_describe(answer).model_dump(), headers=_headers(answer))
    return Response(answer.images[0], media_type=PNG, headers=_headers(answer))


@router.get("/healthz")
async def healthz() -> schemas.Health:
    """Tell that the process lives; it says nothing about queue or workers."""
    return schemas.Health()


@router.get("/readyz", responses=schemas.problems(errors.NotReady, errors.QueueUnavailable))
async def readyz(request: Request) -> schemas.Readiness:
    """Tell whether the queue answers and a live worker has a bundle loaded."""
    queue: Queue = request.app.state.queue
    workers = await queue.workers()
    if not workers:
        raise errors.NotReady("no worker has been heard of in the last seconds")
    return schemas.Readiness(bundle=min(workers.values()), workers=len(workers))


@router.get("/problems/{slug}", response_class=PlainTextResponse, include_in_schema=False)
async def problem(slug: str) -> str:
    """Explain a kind of problem: where the ``type`` of a problem document leads."""
    kind = errors.catalogue().get(slug)
    if kind is None:
        raise errors.NoSuchPage(f"there is no problem called {slug[:40]!r}")
    return errors.explain(kind)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _facts(answer: Answer) -> dict[str, object]:
    """What the log may know: neither picture nor caption."""
    result = answer.result
    return {
        "job": answer.job.id,
        "candidates": answer.job.count,
        "queue_ms": result.queue_ms,
        "inference_ms": result.inference_ms,
        "batch_size": result.batch_size,
    }


def _headers(answer: Answer) -> dict[str, str]:
    return {
        "X-Job-Id": answer.job.id,
        "X-Seed": str(answer.job.seed),
        "X-Bundle-Digest": answer.result.bundle,
        "X-Queue-Ms": f"{answer.result.queue_ms:g}",
        "X-Inference-Ms": f"{answer.result.inference_ms:g}",
        "X-Batch-Size": str(answer.result.batch_size),
    }


def _describe(answer: Answer) -> schemas.InpaintAnswer:
    window = Window.around(answer.region)
    return schemas.InpaintAnswer(
        job_id=answer.job.id,
        seeds=answer.job.seeds,
        images=[base64.b64encode(image).decode() for image in answer.images],
        bundle=answer.result.bundle,
        queue_ms=answer.result.queue_ms,
        inference_ms=answer.result.inference_ms,
        batch_size=answer.result.batch_size,
        region=answer.region,
        window=(*window.corner, 2 * window.side),
    )
