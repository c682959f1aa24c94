# ruff: noqa: N818 - a name here is what a client reads, and a problem's title
"""Errors of a request: its form, its headers, its address, its caller.

An error's docstring is its documentation: the service serves it at the problem's ``type``.
"""

from captionfill.errors import CaptionfillError, InvalidField


class BadRequest(CaptionfillError):
    """The body is not a well-formed multipart form, or the client disconnected while sending it."""

    status, slug, title = 400, "malformed-request", "Malformed request"


class UnsupportedBody(CaptionfillError):
    """The request's Content-Type is not multipart/form-data with a boundary."""

    status, slug, title = 415, "unsupported-body", "Unsupported request body"


class UnsupportedEncoding(CaptionfillError):
    """The body has a Content-Encoding such as gzip. Image files are compressed already."""

    status, slug, title = 415, "unsupported-encoding", "Unsupported Content-Encoding"

    @property
    def headers(self) -> dict[str, str]:
        """The accepted encoding (RFC 9110, 12.5.3)."""
        return {"Accept-Encoding": "identity"}


class InvalidHeader(CaptionfillError):
    """The header Idempotency-Key, Prefer or Last-Event-ID has an invalid value."""

    status, slug, title = 400, "invalid-header", "Invalid header"


class UnknownModel(InvalidField):
    """No live worker has a bundle of that name. ``GET /v1/models`` lists the loaded bundles."""

    slug, title = "unknown-model", "Unknown model"


class NoSuchModel(CaptionfillError):
    """No live worker has a bundle of that name. ``GET /v1/models`` lists the loaded bundles."""

    status, slug, title = 404, "no-such-model", "No such model"


class KeyReused(CaptionfillError):
    """The Idempotency-Key was used with a different request. Use a new key for a new request."""

    status, slug, title = 422, "idempotency-key-reused", "Idempotency-Key reused"


class InvalidArchive(InvalidField):
    """The archive is not a complete zip, has no pictures, or has no readable captions.

    It contains pictures and a file `metadata.jsonl` or `metadata.csv` with ``file_name`` and
    ``caption``. The field ``captions``, a JSON object of captions by name, can replace that file.
    """

    slug, title = "invalid-archive", "Invalid archive"


class InvalidEntry(InvalidField):
    """A picture of a batch is invalid; the others are filled.

    Its entry is missing, duplicate, encrypted, a link, too large or damaged, or its name is a path
    outside the archive.
    """

    slug, title = "invalid-entry", "Invalid entry"


class InvalidWebhook(InvalidField):
    """The webhook's address is not allowed.

    It must begin with ``https://`` and have a public IP address. ``CAPTIONFILL_WEBHOOK_ALLOW`` can
    allow other hosts and networks. ``CAPTIONFILL_WEBHOOK_SECRET`` must be set.
    """

    slug, title = "invalid-webhook", "Invalid webhook"


class BodyTooLarge(CaptionfillError):
    """The body of the request, or its picture, has too many bytes."""

    status, slug, title = 413, "body-too-large", "Request body too large"


class BatchTooLarge(CaptionfillError):
    """The batch has too many pictures, or too many bytes when it is unpacked."""

    status, slug, title = 413, "batch-too-large", "Batch too large"


class UploadTooSlow(CaptionfillError):
    """The request's body did not arrive in time."""

    status, slug, title = 408, "upload-too-slow", "Upload too slow"


class NotAcceptable(CaptionfillError):
    """The Accept header allows none of image/png, image/webp, image/jpeg and application/json."""

    status, slug, title = 406, "not-acceptable", "Not acceptable"


class MalformedHttp(CaptionfillError):
    """The received bytes are not an HTTP/1.1 request."""

    status, slug, title = 400, "malformed-http", "Malformed HTTP"


class HeadersTooSlow(CaptionfillError):
    """The request's headers did not arrive in time."""

    status, slug, title = 408, "headers-too-slow", "Headers too slow"


class HeadersTooLarge(CaptionfillError):
    """The request line and the headers have too many bytes."""

    status, slug, title = 431, "headers-too-large", "Headers too large"


class MethodNotAllowed(CaptionfillError):
    """The address exists, but not for this method. ``Allow`` lists its methods."""

    status, slug, title = 405, "method-not-allowed", "Method not allowed"


class NoSuchPage(CaptionfillError):
    """The address does not exist."""

    status, slug, title = 404, "no-such-page", "No such page"


class KeyRequired(CaptionfillError):
    """The request has no valid API key.

    Send it as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``. ``captionfill keys new NAME``
    creates one.
    """

    status, slug, title = 401, "key-required", "API key required"

    @property
    def headers(self) -> dict[str, str]:
        """The authentication scheme (RFC 6750)."""
        return {"WWW-Authenticate": 'Bearer realm="captionfill"'}


class AdminOnly(CaptionfillError):
    """The API key has no administrator rights. ``captionfill keys new NAME --admin`` makes one."""

    status, slug, title = 403, "admin-only", "Administrators only"


class CrossOrigin(CaptionfillError):
    """A script of another website sent the request. ``CAPTIONFILL_CORS_ORIGINS`` can allow it."""

    status, slug, title = 403, "cross-origin", "Request of another website"


class WrongHost(CaptionfillError):
    """The Host header is not an allowed host. ``CAPTIONFILL_ALLOWED_HOSTS`` adds hosts.

    Without API keys only localhost is allowed, so that no website can reach the service through a
    name of its own (DNS rebinding).
    """

    status, slug, title = 421, "wrong-host", "Wrong host"
