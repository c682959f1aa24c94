# ruff: noqa: N818 - a name here is what a client reads, and a problem's title
"""One tree of errors, and what each looks like to a client (RFC 9457 problem details).

An error's docstring is its documentation: it is served at the problem's ``type``.
"""

from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any

from captionfill.errors import (
    InvalidField,
    InvalidMask,
    InvalidRegion,
    PictureTooLarge,
    PictureTooSmall,
    ServiceError,
    StartError,
    UnsupportedPicture,
)

# Those of the library are the service's, too.
__all__ = [
    "InvalidField",
    "InvalidMask",
    "InvalidRegion",
    "PictureTooLarge",
    "PictureTooSmall",
    "ServiceError",
    "StartError",
    "UnsupportedPicture",
]

MEDIA_TYPE = "application/problem+json"


class BadRequest(ServiceError):
    """The body is not a well-formed multipart form, or the client stopped sending it."""

    status, slug, title = 400, "malformed-request", "Malformed request"


class UnsupportedBody(ServiceError):
    """The request's Content-Type is not multipart/form-data with a boundary."""

    status, slug, title = 415, "unsupported-body", "Unsupported request body"


class UnsupportedEncoding(ServiceError):
    """The request's body has a Content-Encoding, such as gzip. Pictures are compressed already."""

    status, slug, title = 415, "unsupported-encoding", "Unsupported Content-Encoding"

    @property
    def headers(self) -> dict[str, str]:
        """The encoding that is taken (RFC 9110, 12.5.3)."""
        return {"Accept-Encoding": "identity"}


class InvalidCaption(InvalidField):
    """The caption is blank, too long, not UTF-8, or holds control characters."""

    slug, title = "invalid-caption", "Invalid caption"


class InvalidHeader(ServiceError):
    """A header has a value that cannot be used: Idempotency-Key, Prefer or Last-Event-ID."""

    status, slug, title = 400, "invalid-header", "Invalid header"


class UnknownModel(InvalidField):
    """No live worker has a bundle of that name. ``GET /v1/models`` lists those there are."""

    slug, title = "unknown-model", "Unknown model"


class NoSuchModel(ServiceError):
    """No live worker has a bundle of that name. ``GET /v1/models`` lists those there are."""

    status, slug, title = 404, "no-such-model", "No such model"


class KeyReused(ServiceError):
    """The Idempotency-Key was used with a different request. Use a new key for a new request."""

    status, slug, title = 422, "idempotency-key-reused", "Idempotency-Key reused"


class InvalidArchive(InvalidField):
    """The archive is no whole zip, has no picture, or its captions are missing or cannot be read.

    It holds pictures, and `metadata.jsonl` or `metadata.csv` with ``file_name`` and ``caption``;
    the field ``captions``, a JSON object of captions by name, may take that file's place.
    """

    slug, title = "invalid-archive", "Invalid archive"


class InvalidEntry(InvalidField):
    """This picture of a batch cannot be taken; the others are filled.

    Its entry is missing, there twice, encrypted, a link, too large, or cannot be unpacked, or its
    name leads out of the archive.
    """

    slug, title = "invalid-entry", "Invalid entry"


class InvalidWebhook(InvalidField):
    """The webhook's address is not one this service sends to.

    It must begin with ``https://`` and lead to a public address. An operator may allow other hosts
    and networks with ``CAPTIONFILL_WEBHOOK_ALLOW``, and must set ``CAPTIONFILL_WEBHOOK_SECRET``.
    """

    slug, title = "invalid-webhook", "Invalid webhook"


class BodyTooLarge(ServiceError):
    """The request has more bytes than the service takes."""

    status, slug, title = 413, "body-too-large", "Request body too large"


class BatchTooLarge(ServiceError):
    """The batch has more pictures, or unpacks to more bytes, than the service takes at once."""

    status, slug, title = 413, "batch-too-large", "Batch too large"


class UploadTooSlow(ServiceError):
    """The request's body did not arrive in time."""

    status, slug, title = 408, "upload-too-slow", "Upload too slow"


class UploadsFull(ServiceError):
    """The open uploads use up the budget of this process for uploads: try again in a moment."""

    status, slug, title, retry_after = 503, "uploads-full", "No room for uploads", 2


class StorageFull(ServiceError):
    """The upload could not be written to the disk of the service. Nothing was queued."""

    status, slug, title, retry_after = 507, "storage-full", "Storage full", 30


class NotAcceptable(ServiceError):
    """The Accept header allows neither image/png nor application/json."""

    status, slug, title = 406, "not-acceptable", "Not acceptable"


class QueueFull(ServiceError):
    """The queue has no room for this request. Nothing was queued: try again later."""

    status, slug, title, retry_after = 503, "queue-full", "Queue full", 5


class QueueUnavailable(ServiceError):
    """Redis does not answer, or refuses writes. The job may have been queued: try again."""

    status, slug, title, retry_after = 503, "queue-unavailable", "Queue unavailable", 5


class NotReady(ServiceError):
    """No live worker has a bundle that works, or Redis or the API keys cannot be used."""

    status, slug, title, retry_after = 503, "not-ready", "Not ready", 5


class Draining(ServiceError):
    """An operator drains the queue: new jobs are refused, accepted ones are finished."""

    status, slug, title, retry_after = 503, "draining", "Draining", 30


class AnswerTimeout(ServiceError):
    """No worker finished the job in time. It is dropped: send it again."""

    status, slug, title, retry_after = 504, "answer-timeout", "No answer in time", 5


class JobFailed(ServiceError):
    """The worker could not fill this picture, or died each time it tried."""

    status, slug, title = 500, "job-failed", "Job failed"


class NoSuchJob(ServiceError):
    """No job has this id, or it belongs to another client, was deleted or has expired."""

    status, slug, title = 404, "no-such-job", "No such job"


class ResultNotReady(ServiceError):
    """The job is queued or running: ask again, or listen to its events."""

    status, slug, title, retry_after = 409, "result-not-ready", "Result not ready", 1


class JobGone(ServiceError):
    """The job was cancelled, or the job or its result has expired.

    The picture of a request that was answered at once is not kept at all: send
    ``Prefer: respond-async`` to fetch the result later.
    """

    status, slug, title = 410, "job-gone", "Job gone"


class JobLost(ServiceError):
    """The job was accepted, and Redis has lost it: send the request again.

    Either Redis evicts keys when its memory is full (``maxmemory-policy`` must be ``noeviction``),
    or it restarted without its data. The log of the service and ``GET /readyz`` say more.
    """

    status, slug, title = 410, "job-lost", "Job lost"


class QuotaExceeded(ServiceError):
    """The caller's background jobs use up its storage quota, ``CAPTIONFILL_CALLER_BYTES``.

    Each background job counts with its picture and its results until it is deleted
    (``DELETE /jobs/{job}``) or its result expires. Nothing was queued. Fetch results and delete
    their jobs, or send the request later, or without ``Prefer: respond-async``.
    """

    status, slug, title, retry_after = 429, "quota-exceeded", "Storage quota exceeded", 30


class KeyRequired(ServiceError):
    """The request has no API key that this service knows.

    Send it as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``.
    ``captionfill keys new NAME`` makes one.
    """

    status, slug, title = 401, "key-required", "API key required"

    @property
    def headers(self) -> dict[str, str]:
        """The way to authenticate (RFC 6750)."""
        return {"WWW-Authenticate": 'Bearer realm="captionfill"'}


class AdminOnly(ServiceError):
    """The API key is good, but not an administrator's: ``captionfill keys new NAME --admin``."""

    status, slug, title = 403, "admin-only", "Administrators only"


class CrossOrigin(ServiceError):
    """A script of another website sent the request; ``CAPTIONFILL_CORS_ORIGINS`` can allow it."""

    status, slug, title = 403, "cross-origin", "Request of another website"


class WrongHost(ServiceError):
    """The Host header names no host of this service; ``CAPTIONFILL_ALLOWED_HOSTS`` adds names.

    Without API keys only localhost is known, so that no website can reach the service through a
    name of its own (DNS rebinding).
    """

    status, slug, title = 421, "wrong-host", "Wrong host"


class TooManyRequests(ServiceError):
    """The caller is over its rate. ``Retry-After`` and ``RateLimit`` say when to go on."""

    status, slug, title = 429, "too-many-requests", "Too many requests"

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self._headers = dict(headers or {"Retry-After": "1"})

    @property
    def headers(self) -> dict[str, str]:
        """When to come back."""
        return self._headers


class TooManyAtOnce(ServiceError):
    """The caller has as many requests or bytes of uploads open as one caller may have.

    Event streams count, too: wait until one has ended.
    """

    status, slug, title, retry_after = 429, "too-many-at-once", "Too many requests at once", 1


class Busy(ServiceError):
    """This process has as many requests open as it may have: try again."""

    status, slug, title, retry_after = 503, "busy", "Busy", 1


class MalformedHttp(ServiceError):
    """What came over the connection is no HTTP/1.1 request."""

    status, slug, title = 400, "malformed-http", "Malformed HTTP"


class HeadersTooSlow(ServiceError):
    """The request's headers did not arrive in time."""

    status, slug, title = 408, "headers-too-slow", "Headers too slow"


class HeadersTooLarge(ServiceError):
    """The request's line and headers have more bytes than the service takes."""

    status, slug, title = 431, "headers-too-large", "Headers too large"


class MethodNotAllowed(ServiceError):
    """There is something at this address, but not for this method; ``Allow`` says for which."""

    status, slug, title = 405, "method-not-allowed", "Method not allowed"


class NoSuchPage(ServiceError):
    """There is nothing at this address."""

    status, slug, title = 404, "no-such-page", "No such page"


class NoSuchBatch(ServiceError):
    """No batch has this id, or it belongs to another client or has expired."""

    status, slug, title = 404, "no-such-batch", "No such batch"


class BatchUnfinished(ServiceError):
    """Some pictures of the batch wait or run: ask again, or add ``?partial=true``."""

    status, slug, title, retry_after = 409, "batch-unfinished", "Batch unfinished", 5


GATE: tuple[type[ServiceError], ...] = (
    KeyRequired, CrossOrigin, WrongHost, TooManyRequests, TooManyAtOnce, Busy, BodyTooLarge,
    UploadTooSlow, UploadsFull,
)  # fmt: skip
# What a connection may be answered with before there is a request.
WIRE: tuple[type[ServiceError], ...] = (MalformedHttp, HeadersTooSlow, HeadersTooLarge)

COMMON: tuple[type[ServiceError], ...] = (QueueUnavailable, ServiceError)
JOB: tuple[type[ServiceError], ...] = (NoSuchJob, JobLost, *COMMON)
RESULT: tuple[type[ServiceError], ...] = (
    ResultNotReady, JobGone, JobFailed, NotAcceptable, InvalidField,
)  # fmt: skip
# What can be wrong with a picture and what is asked of it.
PICTURE: tuple[type[ServiceError], ...] = (
    BadRequest, UnsupportedBody, UnsupportedEncoding, StorageFull, InvalidField, InvalidCaption,
    InvalidRegion, UnknownModel, UnsupportedPicture, PictureTooSmall, PictureTooLarge,
)  # fmt: skip
QUEUEING: tuple[type[ServiceError], ...] = (
    InvalidHeader, KeyReused, QueueFull, Draining, AnswerTimeout, JobFailed, JobGone, JobLost,
)  # fmt: skip
INPAINT: tuple[type[ServiceError], ...] = (
    *PICTURE, *QUEUEING, NotAcceptable, InvalidWebhook, QuotaExceeded, *COMMON,
)  # fmt: skip
BATCH: tuple[type[ServiceError], ...] = (
    BadRequest, UnsupportedBody, UnsupportedEncoding, StorageFull, InvalidField, InvalidArchive,
    InvalidCaption, InvalidRegion, UnknownModel, BatchTooLarge, InvalidHeader, KeyReused, QueueFull,
    Draining, QuotaExceeded, *COMMON,
)  # fmt: skip
EDIT: tuple[type[ServiceError], ...] = (*PICTURE, *QUEUEING, InvalidMask, *COMMON)


def catalogue() -> dict[str, type[ServiceError]]:
    """Every kind of problem by its slug."""
    kinds: list[type[ServiceError]] = [ServiceError, *_below(ServiceError)]
    return {kind.slug: kind for kind in kinds}


def example(kind: type[ServiceError]) -> dict[str, Any]:
    """A problem document of the kind, with the first sentences of its explanation for a detail."""
    return kind(explain(kind).splitlines()[2]).problem()


def explain(kind: type[ServiceError]) -> str:
    """What the kind of problem means, for the page at its ``type``."""
    return f"{kind.title} ({kind.status})\n\n{cleandoc(kind.__doc__ or '')}\n"


def _below(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)
