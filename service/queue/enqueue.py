"""Arguments and replies of the script that enqueues a job."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.config.settings import Settings
from service.errors.capacity import Draining, QueueFull, QuotaExceeded
from service.errors.requests import KeyReused
from service.queue.jobs import Job, Priority

FULL = "as many jobs as are taken are waiting"


@dataclass(frozen=True)
class IdempotencyKey:
    """An Idempotency-Key: ``name`` is unique to the caller, ``fingerprint`` hashes the payload."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class EnqueueResult:
    """An accepted job.

    Attributes:
        job: its id; that of an earlier job for a repeated Idempotency-Key.
        is_new: False for an earlier job.
        answered: whether its result exists already.
    """

    job: str
    is_new: bool = True
    answered: bool = False


def stream_limit(settings: Settings, priority: Priority) -> int:
    """Return how many tasks a stream of a priority may hold."""
    return settings.batch_queue_limit if priority == Priority.BATCH else settings.queue_limit


def enqueue_arguments(
    job: Job, upload: bytes | None, idempotency: IdempotencyKey | None, settings: Settings
) -> list[Any]:
    """Return the arguments of `scripts/jobs/enqueue.lua` after the prefix and the group."""
    key = idempotency or IdempotencyKey("", "")
    job_fields, task_fields = _flatten(job.fields()), _flatten(job.task.fields())
    return [
        *(job.id, job.task.id, str(job.priority), stream_limit(settings, job.priority)),
        *(int(job.seconds * 1000), int(settings.result_seconds * 1000)),
        *(key.name, key.fingerprint, int(settings.idempotency_seconds * 1000)),
        *(upload or b"", _storage(job, upload, settings)),
        *(len(job_fields), *job_fields, *task_fields),
    ]


def enqueue_result(reply: bytes, name: bytes, settings: Settings) -> EnqueueResult:
    """Parse the script's reply.

    Raises:
        QueueFull, QuotaExceeded, Draining, KeyReused: the job was rejected.
    """
    match reply:
        case b"full":
            raise QueueFull(FULL)
        case b"memory":
            raise QueueFull(
                "the memory for background jobs is full; a request without respond-async and "
                "webhook is still taken"
            )
        case b"quota":
            raise QuotaExceeded(
                f"at most {settings.caller_bytes:,} bytes are kept for the background jobs of "
                "one caller: fetch results and DELETE /jobs/{job}, or wait until they expire"
            )
        case b"draining":
            raise Draining("no new jobs are taken just now")
        case b"mismatch":
            raise KeyReused("this Idempotency-Key came with another request before")
        case b"same":
            return EnqueueResult(name.decode(), is_new=False)
    return EnqueueResult(name.decode(), answered=reply in (b"done", b"failed"))


def _storage(job: Job, upload: bytes | None, settings: Settings) -> str:
    """Return the bytes that a background job is charged, and the limits, as JSON."""
    size = job.stored_bytes + len(upload or b"") if job.background else 0
    return json.dumps(
        {
            "account": job.account,
            "bytes": size,
            "most": settings.caller_bytes,
            "reserve": settings.reserved_memory,
            "total": settings.background_bytes,
        }
    )


def _flatten(fields: Mapping[str, Any]) -> Sequence[Any]:
    return [part for pair in fields.items() for part in pair]
