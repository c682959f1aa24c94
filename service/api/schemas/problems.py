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
from service.api.schemas.inpaint import header
from service.errors.access import CrossOrigin, KeyRequired, WrongHost
from service.errors.capacity import (
    Busy,
    Draining,
    QueueFull,
    QueueUnavailable,
    QuotaExceeded,
    StorageFull,
    TooManyAtOnce,
    TooManyRequests,
    UploadsFull,
)
from service.errors.catalogue import MEDIA_TYPE, example
from service.errors.jobs import (
    AnswerTimeout,
    JobFailed,
    JobGone,
    JobLost,
    NoSuchJob,
    ResultNotReady,
)
from service.errors.requests import (
    BadRequest,
    BatchTooLarge,
    BodyTooLarge,
    InvalidArchive,
    InvalidHeader,
    InvalidWebhook,
    KeyReused,
    NotAcceptable,
    UnknownModel,
    UnsupportedBody,
    UnsupportedEncoding,
    UploadTooSlow,
)

MIDDLEWARE: tuple[type[CaptionfillError], ...] = (
    KeyRequired, CrossOrigin, WrongHost, TooManyRequests, TooManyAtOnce, Busy, BodyTooLarge,
    UploadTooSlow, UploadsFull,
)  # fmt: skip
COMMON: tuple[type[CaptionfillError], ...] = (QueueUnavailable, CaptionfillError)
JOB: tuple[type[CaptionfillError], ...] = (NoSuchJob, JobLost, *COMMON)
RESULT: tuple[type[CaptionfillError], ...] = (
    ResultNotReady, JobGone, JobFailed, NotAcceptable, InvalidField,
)  # fmt: skip
PICTURE: tuple[type[CaptionfillError], ...] = (
    BadRequest, UnsupportedBody, UnsupportedEncoding, StorageFull, InvalidField, InvalidCaption,
    InvalidRegion, UnknownModel, UnsupportedPicture, PictureTooSmall, PictureTooLarge,
)  # fmt: skip
QUEUEING: tuple[type[CaptionfillError], ...] = (
    InvalidHeader, KeyReused, QueueFull, Draining, AnswerTimeout, JobFailed, JobGone, JobLost,
)  # fmt: skip
INPAINT: tuple[type[CaptionfillError], ...] = (
    *PICTURE, *QUEUEING, NotAcceptable, InvalidWebhook, QuotaExceeded, *COMMON,
)  # fmt: skip
BATCH: tuple[type[CaptionfillError], ...] = (
    BadRequest, UnsupportedBody, UnsupportedEncoding, StorageFull, InvalidField, InvalidArchive,
    InvalidCaption, InvalidRegion, UnknownModel, BatchTooLarge, InvalidHeader, KeyReused, QueueFull,
    Draining, QuotaExceeded, *COMMON,
)  # fmt: skip
EDIT: tuple[type[CaptionfillError], ...] = (*PICTURE, *QUEUEING, InvalidMask, *COMMON)


def problems(
    *kinds: type[CaptionfillError], schema: str = "Problem"
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for some kinds of error, an example each, together by status.

    Args:
        kinds: of error.
        schema: of the documents.
    """
    together: dict[int, dict[str, type[CaptionfillError]]] = {}
    for kind in kinds:
        together.setdefault(kind.status, {})[kind.slug] = kind
    return {status: _problem(list(named.values()), schema) for status, named in together.items()}


def _problem(kinds: list[type[CaptionfillError]], schema: str) -> dict[str, Any]:
    content = {
        "schema": {"$ref": f"#/components/schemas/{schema}"},
        "examples": {kind.slug: {"value": example(kind)} for kind in kinds},
    }
    response = {"description": kinds[0].title, "content": {MEDIA_TYPE: content}}
    told = [kind("").headers for kind in kinds]
    headers = {
        name: header("see the problem", value, always=all(name in one for one in told))
        for one in told
        for name, value in one.items()
    }
    return {**response, "headers": headers} if headers else response
