"""Which problems each operation answers with, and their OpenAPI responses."""

from typing import Any

from captionfill.errors import (
    CaptionfillError,
    InvalidCaption,
    InvalidField,
    InvalidMask,
    InvalidRegion,
    PictureTooLarge,
    PictureTooSmall,
    UnsupportedPicture,
)
from service.api.schemas.responses import header
from service.errors.catalogue import MEDIA_TYPE, example
from service.errors.queue import (
    AnswerTimeout,
    Busy,
    Draining,
    JobFailed,
    JobGone,
    JobLost,
    NoSuchJob,
    QueueFull,
    QueueUnavailable,
    QuotaExceeded,
    ResultNotReady,
    StorageFull,
    TooManyAtOnce,
    TooManyRequests,
    UploadsFull,
)
from service.errors.requests import (
    BadRequest,
    BatchTooLarge,
    BodyTooLarge,
    CrossOrigin,
    InvalidArchive,
    InvalidHeader,
    InvalidWebhook,
    KeyRequired,
    KeyReused,
    NotAcceptable,
    UnknownModel,
    UnsupportedBody,
    UnsupportedEncoding,
    UploadTooSlow,
    WrongHost,
)

Kinds = tuple[type[CaptionfillError], ...]

# Raised before any route.
MIDDLEWARE: Kinds = (
    KeyRequired, CrossOrigin, WrongHost, TooManyRequests, TooManyAtOnce, Busy, BodyTooLarge,
    UploadTooSlow, UploadsFull,
)  # fmt: skip
# Raised by every route that uses the queue.
COMMON: Kinds = (QueueUnavailable, CaptionfillError)
JOB: Kinds = (NoSuchJob, JobLost, *COMMON)
RESULT: Kinds = (
    ResultNotReady, JobGone, JobFailed, NotAcceptable, InvalidField,
)  # fmt: skip
# A picture or an option of its form is wrong.
PICTURE: Kinds = (
    BadRequest, UnsupportedBody, UnsupportedEncoding, StorageFull, InvalidField, InvalidCaption,
    InvalidRegion, UnknownModel, UnsupportedPicture, PictureTooSmall, PictureTooLarge,
)  # fmt: skip
QUEUEING: Kinds = (
    InvalidHeader, KeyReused, QueueFull, Draining, AnswerTimeout, JobFailed, JobGone, JobLost,
)  # fmt: skip
INPAINT: Kinds = (
    *PICTURE, *QUEUEING, NotAcceptable, InvalidWebhook, QuotaExceeded, *COMMON,
)  # fmt: skip
BATCH: Kinds = (
    BadRequest, UnsupportedBody, UnsupportedEncoding, StorageFull, InvalidField, InvalidArchive,
    InvalidCaption, InvalidRegion, UnknownModel, BatchTooLarge, InvalidHeader, KeyReused, QueueFull,
    Draining, QuotaExceeded, *COMMON,
)  # fmt: skip
EDIT: Kinds = (*PICTURE, *QUEUEING, InvalidMask, *COMMON)


def problems(
    *kinds: type[CaptionfillError], schema: str = "Problem"
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for kinds of error: one per status, with an example of each kind.

    Args:
        kinds: of error.
        schema: name of the documents' schema.
    """
    by_status: dict[int, dict[str, type[CaptionfillError]]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, {})[kind.slug] = kind
    return {status: _response(list(named.values()), schema) for status, named in by_status.items()}


def _response(kinds: list[type[CaptionfillError]], schema: str) -> dict[str, Any]:
    content = {
        "schema": {"$ref": f"#/components/schemas/{schema}"},
        "examples": {kind.slug: {"value": example(kind)} for kind in kinds},
    }
    response = {"description": kinds[0].title, "content": {MEDIA_TYPE: content}}
    found = [kind("").headers for kind in kinds]
    headers = {
        name: header("see the problem", value, always=all(name in one for one in found))
        for one in found
        for name, value in one.items()
    }
    return {**response, "headers": headers} if headers else response
