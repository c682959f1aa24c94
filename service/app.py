"""The API process: routes, one mapping of errors, and the life of the queue's connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from service import docs_page, errors, metrics_page, problems, schemas
from service.batch_schemas import ResultLine
from service.batches import Batches
from service.fleet import Fleet
from service.gate.authentication import is_open
from service.gate.caller import keys_are_on
from service.gate.install import install_gate
from service.inpaint import Inpainter
from service.metrics import HttpMetrics
from service.queue import Queue
from service.routes import batches, health, inpaint, jobs, models, openai
from service.settings import Settings
from service.webhooks.deliverer import delivering
from service.webhooks.description import describe_webhooks


def create_app(settings: Settings) -> FastAPI:
    """The ASGI application. It connects when it starts, and starts without a queue, too."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        queue = Queue(settings)
        app.state.settings, app.state.queue = settings, queue
        app.state.fleet = Fleet(queue)
        app.state.inpainter = Inpainter(settings, queue, app.state.fleet)
        app.state.batches = Batches(queue, settings)
        async with delivering(settings, queue.redis):
            yield
        await queue.close()

    app = FastAPI(
        title="captionfill",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # Its own spans would tell queries and addresses; ours are in service/tracing.py.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for routes in (inpaint, jobs, batches, openai, models, health, docs_page, metrics_page):
        app.include_router(routes.router)
    app.state.metrics = HttpMetrics()
    for kind in (errors.ServiceError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _problem)
    describe_webhooks(app)
    install_gate(app, settings, [app.state.metrics.observe])
    app.openapi = lambda: _openapi(app, settings)  # type: ignore[method-assign]
    return app


async def _problem(request: Request, error: Exception) -> Response:
    return problems.respond(request.scope, error)


def _openapi(app: FastAPI, settings: Settings) -> dict[str, object]:
    """FastAPI's document, the schemas that only hand-written responses name, and the gate."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            routes=app.routes,
            webhooks=app.webhooks.routes,
        )
        known = document.setdefault("components", {}).setdefault("schemas", {})
        for model in (schemas.Problem, schemas.InpaintAnswer, schemas.JobStatus, ResultLine):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            known.update(schema.pop("$defs", {}))
            known[model.__name__] = schema
        schemas.drop_validation_errors(document)
        schemas.describe_gate(document, is_open, keys=keys_are_on(settings))
        app.openapi_schema = document
    return app.openapi_schema
