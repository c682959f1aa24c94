# ruff: noqa: N818 - a name here is what a client reads, and a problem's title
"""Errors of limits that are reached, of the queue, and of its jobs and batches.

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


class AnswerTimeout(CaptionfillError):
    """No worker finished the job in time. It was dropped; send it again."""

    status, slug, title, retry_after = 504, "answer-timeout", "No answer in time", 5


class JobFailed(CaptionfillError):
    """The worker could not fill this picture, or crashed at each attempt."""

    status, slug, title = 500, "job-failed", "Job failed"


class NoSuchJob(CaptionfillError):
    """No job has this id, or it belongs to another client, was deleted or has expired."""

    status, slug, title = 404, "no-such-job", "No such job"


class ResultNotReady(CaptionfillError):
    """The job is queued or running. Ask again, or subscribe to its events."""

    status, slug, title, retry_after = 409, "result-not-ready", "Result not ready", 1


class JobGone(CaptionfillError):
    """The job was cancelled, or the job or its result has expired.

    The picture of a synchronous request is not stored. Send ``Prefer: respond-async`` to fetch the
    result later.
    """

    status, slug, title = 410, "job-gone", "Job gone"


class JobLost(CaptionfillError):
    """The job was accepted, but Redis has lost it. Send the request again.

    Redis evicts keys when its memory is full (``maxmemory-policy`` must be ``noeviction``), or it
    restarted without its data. See the log of the service and ``GET /readyz``.
    """

    status, slug, title = 410, "job-lost", "Job lost"


class NoSuchBatch(CaptionfillError):
    """No batch has this id, or it belongs to another client or has expired."""

    status, slug, title = 404, "no-such-batch", "No such batch"


class BatchUnfinished(CaptionfillError):
    """Some pictures of the batch are queued or running. Ask again, or add ``?partial=true``."""

    status, slug, title, retry_after = 409, "batch-unfinished", "Batch unfinished", 5
