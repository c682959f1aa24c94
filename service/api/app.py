"""Builds the application: routes, error handlers, middleware, and the lifespan of its services."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial

from anyio import create_task_group
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from captionfill.errors import CaptionfillError, StartError
from service.api.expiry import ExpirySweeper
from service.api.inpaint_service import InpaintService
from service.api.routes import batches, docs, health, inpaint, jobs, metrics, models, openai, page
from service.api.schemas import openapi
from service.auth.authentication import Authenticator
from service.config.settings import Settings
from service.middleware.admission import Admission
from service.middleware.body_limit import BodyLimit, DrainBody
from service.middleware.cors import Cors
from service.middleware.problem_response import respond
from service.middleware.proxy_headers import ProxyHeaders
from service.middleware.request_context import (
    HeadRequests,
    HttpMetrics,
    RequestContext,
    RequestRecord,
)
from service.queue.batch_store import BatchStore
from service.queue.client import Queue
from service.queue.redis_check import RedisMonitor
from service.queue.worker_reports import WorkerRegistry
from service.webhooks.dispatcher import run_dispatcher
from service.webhooks.openapi import describe_webhooks

_ROUTES = (inpaint, jobs, batches, openai, models, health, docs, page, metrics)
_API_ROUTES = [
    route for module in _ROUTES for route in module.router.routes if isinstance(route, APIRoute)
]
# Every header that a route reads; scripts of other origins may send only these.
REQUEST_HEADERS = tuple(
    sorted({field.alias for route in _API_ROUTES for field in route.dependant.header_params})
)


def create_app(settings: Settings) -> FastAPI:
    """The ASGI application. It connects to Redis when it starts; Redis may be down then."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        queue = Queue(settings)
        app.state.settings, app.state.queue = settings, queue
        app.state.redis_monitor = RedisMonitor(queue.redis, settings)
        app.state.worker_registry = WorkerRegistry(queue.workers)
        app.state.inpaint_service = InpaintService(settings, queue, app.state.worker_registry)
        app.state.batches = BatchStore(queue, settings)
        async with run_dispatcher(settings, queue.redis), create_task_group() as background:
            background.start_soon(ExpirySweeper(queue).run)
            yield
            background.cancel_scope.cancel()
        await queue.close()

    app = FastAPI(
        title="captionfill",
        version="0.1.0",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,  # links name operations
        docs_url=None,
        redoc_url=None,
        # FastAPI's spans contain queries and addresses; service/observability.py has ours.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for module in _ROUTES:
        app.include_router(module.router)
    app.state.metrics = HttpMetrics()
    for kind in (CaptionfillError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _handle_error)
    describe_webhooks(app)
    _check_root_path(settings.root_path)
    install_middleware(app, settings, [app.state.metrics.observe])
    app.openapi = cache(partial(openapi.build, app, settings))  # type: ignore[method-assign]
    return app


def install_middleware(
    app: FastAPI, settings: Settings, observers: Sequence[Callable[[RequestRecord], None]] = ()
) -> None:
    """Add all middleware, from the inside out. Observers are called with each request's record."""
    app.state.authenticator = Authenticator(settings)
    app.add_middleware(HeadRequests)
    app.add_middleware(BodyLimit, settings=settings)  # inside Admission: it needs the caller
    app.add_middleware(Admission, settings=settings, authenticator=app.state.authenticator)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins, request_headers=REQUEST_HEADERS)
    app.add_middleware(DrainBody)
    app.add_middleware(RequestContext, observers=observers)
    if settings.trusted_proxies or settings.root_path:
        app.add_middleware(ProxyHeaders, settings=settings)


def _check_root_path(root: str) -> None:
    """Refuse a root path whose first part is that of a route, which would be ambiguous."""
    first = root.split("/")[1:2]
    taken = {route.path.split("/")[1] for route in _API_ROUTES} | {"openapi.json"}
    if taken.intersection(first):
        raise StartError(
            f"setting root_path (CAPTIONFILL_ROOT_PATH): its first part, /{first[0]}, is also "
            "a route of this service; choose another"
        )


async def _handle_error(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        error.headers = {"Allow": ", ".join(_methods(request))}
    return respond(request.scope, error)


def _methods(request: Request) -> list[str]:
    """Every method of an address; Starlette lists only those of its first matching route."""
    own = [route for route in request.app.routes if isinstance(route, Route)]  # /openapi.json
    methods = {
        method
        for route in (*_API_ROUTES, *own)
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
