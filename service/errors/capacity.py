# ruff: noqa: N818 - a name here is what a client reads, and a problem's title
"""Errors of limits that are reached, and of a queue or workers that are not available.

An error's docstring is its documentation: the service serves it at the problem's ``type``.
"""

from collections.abc import Mapping

from captionfill.errors import CaptionfillError


class UploadsFull(CaptionfillError):
    """The open uploads use the whole upload budget of this process. Try again in a moment."""

    status, slug, title, retry_after = 503, "uploads-full", "No room for uploads", 2


class StorageFull(CaptionfillError):
    """The upload could not be written to the disk of the service. Nothing was queued."""

    status, slug, title, retry_after = 507, "storage-full", "Storage full", 30


class QueueFull(CaptionfillError):
    """The queue is full. Nothing was queued; try again later."""

    status, slug, title, retry_after = 503, "queue-full", "Queue full", 5


class QueueUnavailable(CaptionfillError):
    """Redis does not answer, or refuses writes. The job may have been queued; try again."""

    status, slug, title, retry_after = 503, "queue-unavailable", "Queue unavailable", 5


class NotReady(CaptionfillError):
    """No live worker has a healthy bundle, or Redis or the file of API keys cannot be used."""

    status, slug, title, retry_after = 503, "not-ready", "Not ready", 5


class Draining(CaptionfillError):
    """The queue is being drained: new jobs are refused, accepted ones are finished."""

    status, slug, title, retry_after = 503, "draining", "Draining", 30


class QuotaExceeded(CaptionfillError):
    """The caller's background jobs use its whole storage quota, ``CAPTIONFILL_CALLER_BYTES``.

    The picture and the results of each background job count until it is deleted
    (``DELETE /jobs/{job}``) or its result expires. Nothing was queued. Fetch results and delete
    their jobs, or send the request later, or without ``Prefer: respond-async``.
    """

    status, slug, title, retry_after = 429, "quota-exceeded", "Storage quota exceeded", 30


class TooManyRequests(CaptionfillError):
    """The caller exceeds its rate limit. ``Retry-After`` and ``RateLimit`` tell when to retry."""

    status, slug, title = 429, "too-many-requests", "Too many requests"

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self._headers = dict(headers or {"Retry-After": "1"})

    @property
    def headers(self) -> dict[str, str]:
        """``Retry-After`` and the state of the rate limit."""
        return self._headers


class TooManyAtOnce(CaptionfillError):
    """The caller has too many open requests or too many bytes in open uploads.

    Event streams count as requests. Wait until one has ended.
    """

    status, slug, title, retry_after = 429, "too-many-at-once", "Too many requests at once", 1


class Busy(CaptionfillError):
    """This process has too many open requests. Try again."""

    status, slug, title, retry_after = 503, "busy", "Busy", 1
