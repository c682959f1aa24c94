"""Which problems each operation answers with, and their OpenAPI responses."""

from typing import Any

from captionfill import errors
from captionfill.errors import CaptionfillError
from service.api.schemas.responses import header
from service.errors import queue, requests
from service.errors.catalogue import MEDIA_TYPE, example

Kinds = tuple[type[CaptionfillError], ...]

# Raised before any route.
MIDDLEWARE: Kinds = (
    requests.KeyRequired, requests.CrossOrigin, requests.WrongHost, queue.TooManyRequests,
    queue.TooManyAtOnce, queue.Busy, requests.BodyTooLarge, requests.UploadTooSlow,
    queue.UploadsFull,
)  # fmt: skip
# Raised by every route that uses the queue.
COMMON: Kinds = (queue.QueueUnavailable, CaptionfillError)
JOB: Kinds = (queue.NoSuchJob, queue.JobLost, *COMMON)
RESULT: Kinds = (
    queue.ResultNotReady, queue.JobGone, queue.JobFailed, requests.NotAcceptable,
    errors.InvalidField,
)  # fmt: skip
RESULT_JSON: Kinds = (queue.ResultNotReady, queue.JobGone, queue.JobFailed)
# A picture or an option of its form is wrong.
PICTURE: Kinds = (
    requests.BadRequest, requests.UnsupportedBody, requests.UnsupportedEncoding, queue.StorageFull,
    errors.InvalidField, errors.InvalidCaption, errors.InvalidRegion, errors.InvalidMask,
    requests.UnknownModel, errors.UnsupportedPicture, errors.PictureTooSmall,
    errors.PictureTooLarge,
)  # fmt: skip
QUEUEING: Kinds = (
    requests.InvalidHeader, requests.KeyReused, queue.QueueFull, queue.Draining,
    queue.AnswerTimeout, queue.JobFailed, queue.JobGone, queue.JobLost,
)  # fmt: skip
INPAINT_JSON: Kinds = (
    *PICTURE, *QUEUEING, requests.InvalidWebhook, queue.QuotaExceeded, *COMMON,
)  # fmt: skip
INPAINT: Kinds = (*INPAINT_JSON, requests.NotAcceptable)
BATCH: Kinds = (
    requests.BadRequest, requests.UnsupportedBody, requests.UnsupportedEncoding, queue.StorageFull,
    errors.InvalidField, requests.InvalidArchive, errors.InvalidCaption, errors.InvalidRegion,
    errors.InvalidMask, requests.UnknownModel, requests.BatchTooLarge, requests.InvalidHeader,
    requests.KeyReused,
    queue.QueueFull, queue.Draining, queue.QuotaExceeded, *COMMON,
)  # fmt: skip
EDIT: Kinds = (*PICTURE, *QUEUEING, *COMMON)


def problems(
    *kinds: type[CaptionfillError], schema: str = "Problem"
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for kinds of error: one per status, with an example of each kind."""
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
