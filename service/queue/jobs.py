"""Jobs: clients' requests, each waiting for a task. Several jobs may wait for one task.

A job's id has 32 hex digits: 12 of the milliseconds since 1970, 12 random ones, and 8 of a checksum
over both, the namespace and the owner. The id of a job that Redis has lost can thus be told from
an id that never existed, and only for its owner. The checksum is not a secret and gives no
security.
"""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple, Self
from uuid import uuid4

from service.queue.task import FILL_BYTES, Fields, InferenceTask

# Measured size of a job's keys in Redis, without its image.
_RECORD_BYTES = 6144
_ID = re.compile(r"[0-9a-f]{32}")
# Difference between the clocks of API hosts.
_SKEW_SECONDS = 5.0


class Priority(StrEnum):
    """Priorities: interactive tasks first, batch tasks use the remaining capacity."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class State(StrEnum):
    """States of a job. The last five are final; a lost job's records are gone from Redis."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOST = "lost"

    @property
    def is_end(self) -> bool:
        """Whether the state is final."""
        return self not in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True)
class Job:
    """A client's request for the result of a task.

    Attributes:
        owner: name of the caller; others cannot see the job.
        account: whose quota of stored bytes a background job is charged to.
        seconds: from acceptance to the deadline.
        background: no connection waits for it, so its events are stored for replay.
        meta: JSON that the API needs to compose the response.
        webhook: URL to call when the job ends, or empty.
        batch: id of the batch it belongs to, or empty.
        request_id: of the HTTP request, for the worker's logs.
        traceparent: W3C trace context of the request, or empty.
        secret: signs addresses of the job's events.
    """

    task: InferenceTask
    owner: str = "local"
    account: str = "local"
    priority: Priority = Priority.INTERACTIVE
    seconds: float = 60
    background: bool = False
    meta: str = "{}"
    webhook: str = ""
    batch: str = ""
    request_id: str = ""
    traceparent: str = ""
    id: str = field(default_factory=lambda: uuid4().hex)
    secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def stored_bytes(self) -> int:
        """Approximate size in Redis without the image: task, results and fields."""
        return len(self.task.window) + self.task.images * FILL_BYTES + _RECORD_BYTES

    def fields(self) -> Fields:
        """Return the fields of the job's Redis hash."""
        return {
            "work": self.task.id,
            "owner": self.owner,
            "lane": self.priority,
            "background": int(self.background),
            "meta": self.meta,
            "webhook": self.webhook,
            "batch": self.batch,
            "request_id": self.request_id,
            "traceparent": self.traceparent,
            "secret": self.secret,
        }


class IdempotencyKey(NamedTuple):
    """An Idempotency-Key: ``name`` is unique to the caller, ``fingerprint`` hashes the payload."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class EnqueueResult:
    """The id of an accepted job; that of an earlier one for a repeated Idempotency-Key.

    ``answered``: its result exists already.
    """

    job: str
    is_new: bool = True
    answered: bool = False


@dataclass(frozen=True)
class Status:
    """The status of a job.

    Attributes:
        position: in the queue, 1 is next; None unless queued.
        estimate: seconds until it is done; None if unknown, or if not queued or running.
        created, deadline: milliseconds since 1970.
        reason: why it failed, or empty.
        secret: signs addresses of its events; empty for a job of an older version.
    """

    id: str
    task_id: str
    owner: str
    state: State
    created: int
    deadline: int
    meta: str
    webhook: str = ""
    batch: str = ""
    reason: str = ""
    position: int | None = None
    estimate: float | None = None
    secret: str = field(default="", repr=False)

    @classmethod
    def from_fields(
        cls, name: str, fields: Mapping[bytes, bytes], state: State, ahead: int, pace: float
    ) -> Self:
        """Build a status from the fields of a job's hash.

        ``ahead`` counts the entries not yet taken, up to this one; it is 0 if this one was taken.
        ``pace`` is in seconds per task of all workers together; 0 if unknown.
        """
        text = {key.decode(): value.decode() for key, value in fields.items()}
        return cls(
            id=name,
            task_id=text["work"],
            owner=text["owner"],
            state=state,
            created=int(text["created"]),
            deadline=int(text["deadline"]),
            meta=text["meta"],
            webhook=text["webhook"],
            batch=text["batch"],
            reason=text.get("reason", ""),
            position=max(1, ahead) if state == State.QUEUED else None,
            estimate=round(max(1, ahead) * pace, 3) if pace and not state.is_end else None,
            secret=text.get("secret", ""),
        )


def make_job_id(namespace: str, owner: str) -> str:
    """Return a new id."""
    made = f"{int(time.time() * 1000):012x}{secrets.token_hex(6)}"
    return made + _checksum(made, namespace, owner)


def age_of(job: str, namespace: str, owner: str) -> float | None:
    """Return the age of an id [s]; None if it does not belong to this namespace and owner."""
    if not _ID.fullmatch(job) or job[24:] != _checksum(job[:24], namespace, owner):
        return None
    age = time.time() - int(job[:12], 16) / 1000
    return max(0.0, age) if age > -_SKEW_SECONDS else None


def _checksum(made: str, namespace: str, owner: str) -> str:
    return sha256(f"{made}\n{namespace}\n{owner}".encode()).hexdigest()[:8]
