"""Liveness, readiness, and the explanations of problems."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import PlainTextResponse

from service.api.routes.common import UsedQueue
from service.api.schemas.bodies import Health, Readiness, UnhealthyBundle
from service.api.schemas.problems import problems
from service.auth.authentication import Authenticator
from service.errors import catalogue
from service.errors.queue import NotReady, QueueFull, QueueUnavailable
from service.errors.requests import NoSuchPage
from service.queue.redis_check import RedisMonitor

router = APIRouter(tags=["Operation"])


@router.get("/healthz", summary="Liveness")
async def healthz() -> Health:
    """Report that the process runs; queue and workers are not checked."""
    return Health()


@router.get("/readyz", summary="Readiness", responses=problems(NotReady, QueueUnavailable))
async def readyz(request: Request, queue: UsedQueue) -> Readiness:
    """Report whether the queue accepts jobs, API keys can be read and a worker is healthy.

    A worker whose bundle failed several times in a row takes no tasks until it fills a probe.
    """
    monitor: RedisMonitor = request.app.state.redis_monitor
    authenticator: Authenticator = request.app.state.authenticator
    warnings = [*authenticator.warnings(), *await monitor.check()]
    workers = await queue.workers()
    if not workers:
        raise NotReady("no worker has sent a heartbeat in the last seconds")
    unhealthy = [
        UnhealthyBundle(worker=name, model=model, reason=reason)
        for name, worker in sorted(workers.items())
        for model, reason in sorted(worker.unhealthy.items())
    ]
    healthy = [worker for worker in workers.values() if worker.is_healthy]
    if not healthy:
        reasons = "; ".join(f"{one.worker}, {one.model}: {one.reason}" for one in unhealthy)
        raise NotReady(f"no worker is healthy: {reasons or 'none has a bundle'}")
    newest = max(healthy, key=lambda worker: worker.generation)
    name = newest.default if newest.default in newest.models else next(iter(newest.models))
    return Readiness(
        bundle=newest.models[name],
        engine=newest.engines.get(name, ""),
        workers=len(healthy),
        unhealthy=unhealthy,
        warnings=warnings,
    )


@router.get(
    "/problems/{slug}",
    summary="Explain a problem",
    response_class=PlainTextResponse,
    responses={
        200: {
            "description": "The explanation of the problem.",
            "content": {"text/plain": {"example": catalogue.explain(QueueFull)}},
        },
        **problems(NoSuchPage),
    },
)
async def problem(
    slug: Annotated[str, Path(description="of a problem's `type`", examples=["queue-full"])],
) -> str:
    """Explain a kind of problem; the `type` of a problem document is this address."""
    kind = catalogue.catalogue().get(slug)
    if kind is None:
        raise NoSuchPage(f"there is no problem called {slug[:40]!r}")
    return catalogue.explain(kind)
