# ruff: noqa: N818 - a name here is what a client reads, and a problem's title
"""Errors of jobs and batches.

An error's docstring is its documentation: the service serves it at the problem's ``type``.
"""

from captionfill.errors import CaptionfillError


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
