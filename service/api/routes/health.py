"""Whether the service lives and can work, and what its problems mean."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import PlainTextResponse

from service.api.schemas import inpaint
from service.api.schemas.problems import problems
from service.auth.authentication import Authenticator
from service.errors.capacity import NotReady, QueueFull, QueueUnavailable
from service.errors.catalogue import catalogue, explain
from service.errors.requests import NoSuchPage
from service.queue.client import Queue
from service.queue.redis_check import RedisMonitor

router = APIRouter()


@router.get("/healthz")
async def healthz() -> inpaint.Health:
    """Tell that the process lives; it says nothing about queue or workers."""
    return inpaint.Health()


@router.get("/readyz", responses=problems(NotReady, QueueUnavailable))
async def readyz(request: Request) -> inpaint.Readiness:
    """Tell whether the queue takes jobs, keys can be read and a live, healthy worker has a bundle.

    A worker whose bundle failed several times in a row takes no work until it fills a probe.
    """
    queue: Queue = request.app.state.queue
    monitor: RedisMonitor = request.app.state.redis_monitor
    authenticator: Authenticator = request.app.state.authenticator
    warnings = [*authenticator.warnings(), *await monitor.check()]
    heartbeats = await queue.workers()
    if not heartbeats:
        raise NotReady("no worker has been heard of in the last seconds")
    unhealthy = [
        inpaint.UnhealthyBundle(worker=worker, model=model, reason=reason)
        for worker, heartbeat in sorted(heartbeats.items())
        for model, reason in sorted(heartbeat.unhealthy.items())
    ]
    healthy = [heartbeat for heartbeat in heartbeats.values() if heartbeat.is_healthy]
    if not healthy:
        told = "; ".join(f"{one.worker}, {one.model}: {one.reason}" for one in unhealthy)
        raise NotReady(f"no worker is healthy: {told or 'none has a bundle'}")
    newest = max(healthy, key=lambda heartbeat: heartbeat.generation)
    name = newest.default if newest.default in newest.models else next(iter(newest.models))
    return inpaint.Readiness(
        bundle=newest.models[name],
        engine=newest.engines.get(name, ""),
        workers=len(healthy),
        unhealthy=unhealthy,
        warnings=warnings,
    )


@router.get(
    "/problems/{slug}",
    response_class=PlainTextResponse,
    responses={
        200: {
            "description": "What it means.",
            "content": {"text/plain": {"example": explain(QueueFull)}},
        },
        **problems(NoSuchPage),
    },
)
async def problem(
    slug: Annotated[str, Path(description="of a problem's `type`", examples=["queue-full"])],
) -> str:
    """Explain a kind of problem: where the ``type`` of a problem document leads."""
    kind = catalogue().get(slug)
    if kind is None:
        raise NoSuchPage(f"there is no problem called {slug[:40]!r}")
    return explain(kind)
