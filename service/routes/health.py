"""Whether the service lives and can work, and what its problems mean."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import PlainTextResponse

from service import errors, schemas
from service.queue import Queue

router = APIRouter()


@router.get("/healthz")
async def healthz() -> schemas.Health:
    """Tell that the process lives; it says nothing about queue or workers."""
    return schemas.Health()


@router.get("/readyz", responses=schemas.problems(errors.NotReady, errors.QueueUnavailable))
async def readyz(request: Request) -> schemas.Readiness:
    """Tell whether the queue answers and a live worker has a bundle loaded."""
    queue: Queue = request.app.state.queue
    beats = await queue.workers()
    if not beats:
        raise errors.NotReady("no worker has been heard of in the last seconds")
    newest = max(beats.values(), key=lambda beat: beat.generation)
    return schemas.Readiness(
        bundle=newest.models[newest.default],
        engine=newest.engines.get(newest.default, ""),
        workers=len(beats),
    )


@router.get(
    "/problems/{slug}",
    response_class=PlainTextResponse,
    responses={
        200: {
            "description": "What it means.",
            "content": {"text/plain": {"example": errors.explain(errors.QueueFull)}},
        },
        **schemas.problems(errors.NoSuchPage),
    },
)
async def problem(
    slug: Annotated[str, Path(description="of a problem's `type`", examples=["queue-full"])],
) -> str:
    """Explain a kind of problem: where the ``type`` of a problem document leads."""
    kind = errors.catalogue().get(slug)
    if kind is None:
        raise errors.NoSuchPage(f"there is no problem called {slug[:40]!r}")
    return errors.explain(kind)
