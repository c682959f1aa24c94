"""Responses with problem documents, for errors of routes, middleware and framework."""

import logging
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from captionfill.errors import CaptionfillError, InvalidCaption, InvalidField, InvalidMask
from service.auth.authentication import route_path
from service.errors.catalogue import MEDIA_TYPE
from service.errors.requests import (
    BadRequest,
    BodyTooLarge,
    MethodNotAllowed,
    NoSuchPage,
    UnknownModel,
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
_OPENAI_FIELDS = {
    "image", "mask", "prompt", "n", "model", "size", "seed", "temperature",
    "response_format", "output_format", "background", "stream", "partial_images",
    "output_compression",
}  # fmt: skip
_OPENAI_ERRORS = {"prompt": InvalidCaption, "mask": InvalidMask, "model": UnknownModel}


def respond(scope: Scope, error: Exception) -> JSONResponse:
    """The response to an error. Its slug is recorded for log and metrics."""
    known, headers = _translate(error)
    scope.setdefault("state", {})["problem"] = known.slug
    path = route_path(scope)
    if scope["method"] == "POST":  # frequent probes would fill the log
        log.info("refused", extra={"problem": known.slug, "path": path[:200]})
    document = known.problem()
    if path.startswith("/v1/"):
        document["error"] = openai_error(known)
    return JSONResponse(document, known.status, {**known.headers, **headers}, media_type=MEDIA_TYPE)


def openai_error(error: CaptionfillError) -> dict[str, str | None]:
    """The member ``error`` that OpenAI's clients read.

    Its `param` is the field that the error's kind or first word names.
    """
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    first = str(error).partition(" ")[0].rstrip(":")
    param = first if first in _OPENAI_FIELDS else None
    for named, field in (
        (InvalidCaption, "prompt"),
        (InvalidMask, "mask"),
        (UnknownModel, "model"),
    ):
        if isinstance(error, named):
            param = field
    return {"message": str(error), "type": kind, "param": param, "code": error.slug}


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
