"""The API process: routes, one mapping of errors, and the life of the queue's connection."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from service import errors, schemas
from service.fleet import Fleet
from service.inpaint import Inpainter
from service.queue import Queue
from service.routes import health, inpaint, jobs, models
from service.settings import Settings
from service.webhooks.deliverer import delivering

log = logging.getLogger("captionfill.api")


def create_app(settings: Settings) -> FastAPI:
    """The ASGI application. It connects when it starts, and starts without a queue, too."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        queue = Queue(settings)
        app.state.settings, app.state.queue = settings, queue
        app.state.fleet = Fleet(queue)
        app.state.inpainter = Inpainter(settings, queue, app.state.fleet)
        async with delivering(settings, queue.redis, queue.state):
            yield
        await queue.close()

    app = FastAPI(title="captionfill", version="0.1.0", lifespan=lifespan)
    for routes in (inpaint, jobs, models, health):
        app.include_router(routes.router)
    app.add_exception_handler(errors.ServiceError, _service_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ServiceError)
    if request.method == "POST":  # a probe that is told "not ready" ten times a second is no news
        log.info("refused", extra={"problem": error.slug, "path": request.url.path})
    return _problem(error.problem(), error.headers)


def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    document = {"type": "about:blank", "title": title, "status": error.status_code}
    return _problem({**document, "detail": str(error.detail)}, dict(error.headers or {}))


def _unforeseen(_: Request, __: Exception) -> Response:
    # The server logs the traceback; the client learns nothing of the inside.
    return _problem(errors.ServiceError("something went wrong; the log says what").problem(), {})


def _problem(document: dict[str, object], headers: dict[str, str]) -> Response:
    status = int(str(document["status"]))
    return JSONResponse(document, status, headers, media_type=errors.MEDIA_TYPE)


def _openapi(app: FastAPI) -> dict[str, object]:
    """FastAPI's document and the schemas that only hand-written responses name."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        known = document.setdefault("components", {}).setdefault("schemas", {})
        for model in (schemas.Problem, schemas.InpaintAnswer, schemas.JobStatus):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            known.update(schema.pop("$defs", {}))
            known[model.__name__] = schema
        app.openapi_schema = document
    return app.openapi_schema
