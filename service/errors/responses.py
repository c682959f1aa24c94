"""Responses with problem documents, for errors of routes, middleware and framework."""

import logging
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from captionfill.errors import CaptionfillError, InvalidField
from service.errors import openai
from service.errors.catalogue import MEDIA_TYPE
from service.errors.requests import (
    BadRequest,
    BodyTooLarge,
    MethodNotAllowed,
    NoSuchPage,
    UnsupportedBody,
)

log = logging.getLogger("captionfill.api")

_BY_STATUS: dict[int, type[CaptionfillError]] = {
    404: NoSuchPage,
    405: MethodNotAllowed,
    413: BodyTooLarge,
    415: UnsupportedBody,
    422: InvalidField,
}


def route_path(scope: Scope) -> str:
    """The path within this service, without the root path that it is published under."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def respond(scope: Scope, error: Exception) -> JSONResponse:
    """The response to an error. Its slug is recorded for log and metrics."""
    known, headers = _translate(error)
    scope.setdefault("state", {})["problem"] = known.slug
    if scope["method"] == "POST":  # frequent probes would fill the log
        log.info("refused", extra={"problem": known.slug, "path": route_path(scope)[:200]})
    document = known.problem()
    if route_path(scope).startswith("/v1/"):
        document["error"] = openai.explain(known)
    return JSONResponse(document, known.status, {**known.headers, **headers}, media_type=MEDIA_TYPE)


def _translate(error: Exception) -> tuple[CaptionfillError, dict[str, str]]:
    """The service's error for any exception, and the framework's headers."""
    if isinstance(error, CaptionfillError):
        return error, {}
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return InvalidField(f"{place}: {first['msg']}"), {}
    if isinstance(error, HTTPException):
        fallback = BadRequest if error.status_code < 500 else CaptionfillError
        kind = _BY_STATUS.get(error.status_code, fallback)
        detail = error.detail or HTTPStatus(error.status_code).phrase
        return kind(str(detail)), dict(error.headers or {})
    # The log has the traceback; the client gets no internals.
    return CaptionfillError("an unexpected error occurred; see the log"), {}
