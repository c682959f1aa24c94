# ruff: noqa: N818 - a name here is what a client reads, and a problem's title
"""Errors of a request: its form, its headers, its address.

An error's docstring is its documentation: the service serves it at the problem's ``type``.
"""

from captionfill.errors import CaptionfillError, InvalidField


class BadRequest(CaptionfillError):
    """The body is not a well-formed multipart form, or the client stopped sending it."""

    status, slug, title = 400, "malformed-request", "Malformed request"


class UnsupportedBody(CaptionfillError):
    """The request's Content-Type is not multipart/form-data with a boundary."""

    status, slug, title = 415, "unsupported-body", "Unsupported request body"


class UnsupportedEncoding(CaptionfillError):
    """The request's body has a Content-Encoding, such as gzip. Pictures are compressed already."""

    status, slug, title = 415, "unsupported-encoding", "Unsupported Content-Encoding"

    @property
    def headers(self) -> dict[str, str]:
        """The encoding that is taken (RFC 9110, 12.5.3)."""
        return {"Accept-Encoding": "identity"}


class InvalidHeader(CaptionfillError):
    """A header has a value that cannot be used: Idempotency-Key, Prefer or Last-Event-ID."""

    status, slug, title = 400, "invalid-header", "Invalid header"


class UnknownModel(InvalidField):
    """No live worker has a bundle of that name. ``GET /v1/models`` lists those there are."""

    slug, title = "unknown-model", "Unknown model"


class NoSuchModel(CaptionfillError):
    """No live worker has a bundle of that name. ``GET /v1/models`` lists those there are."""

    status, slug, title = 404, "no-such-model", "No such model"


class KeyReused(CaptionfillError):
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


class BodyTooLarge(CaptionfillError):
    """The request has more bytes than the service takes."""

    status, slug, title = 413, "body-too-large", "Request body too large"


class BatchTooLarge(CaptionfillError):
    """The batch has more pictures, or unpacks to more bytes, than the service takes at once."""

    status, slug, title = 413, "batch-too-large", "Batch too large"


class UploadTooSlow(CaptionfillError):
    """The request's body did not arrive in time."""

    status, slug, title = 408, "upload-too-slow", "Upload too slow"


class NotAcceptable(CaptionfillError):
    """The Accept header allows neither image/png nor application/json."""

    status, slug, title = 406, "not-acceptable", "Not acceptable"


class MalformedHttp(CaptionfillError):
    """What came over the connection is no HTTP/1.1 request."""

    status, slug, title = 400, "malformed-http", "Malformed HTTP"


class HeadersTooSlow(CaptionfillError):
    """The request's headers did not arrive in time."""

    status, slug, title = 408, "headers-too-slow", "Headers too slow"


class HeadersTooLarge(CaptionfillError):
    """The request's line and headers have more bytes than the service takes."""

    status, slug, title = 431, "headers-too-large", "Headers too large"


class MethodNotAllowed(CaptionfillError):
    """There is something at this address, but not for this method; ``Allow`` says for which."""

    status, slug, title = 405, "method-not-allowed", "Method not allowed"


class NoSuchPage(CaptionfillError):
    """There is nothing at this address."""

    status, slug, title = 404, "no-such-page", "No such page"
