"""What a client asked for: a job, which is some client's claim on a piece of work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from uuid import uuid4

from service.queue.task import FILL_BYTES, WINDOW_BYTES, Fields, InferenceTask

# Hashes, claims and the stream of events of a job with captions of common length, as measured.
_RECORD_BYTES = 6144


class Priority(StrEnum):
    """Priorities: somebody waits for interactive work; batch work fills what is left."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class State(StrEnum):
    """A job's life. The last five are ends; lost is one whose records Redis no longer has."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    LOST = "lost"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self not in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True)
class Job:
    """A client's claim on work.

    Attributes:
        owner: name of the caller; nobody else is told about the job.
        account: whose quota of stored bytes a background job is charged to.
        seconds: from acceptance to deadline.
        background: nobody holds a connection open for it, so its events are kept for replay.
        meta: what the API needs to compose the answer, as JSON.
        webhook: URL to call at the end, or empty.
        batch: id of the batch it belongs to, or empty.
        request_id: of the HTTP request, for the logs of the worker.
        traceparent: W3C trace context of the request, or empty.
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

    @property
    def stored_bytes(self) -> int:
        """About what Redis keeps for it besides its picture: task, results and its own fields."""
        return WINDOW_BYTES + self.task.images * FILL_BYTES + _RECORD_BYTES

    def fields(self) -> Fields:
        """The job as the fields of a Redis hash."""
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
        }


@dataclass(frozen=True)
class Status:
    """What is known of a job.

    Attributes:
        position: jobs that a worker takes before it, and it: 1 is next; None unless queued.
        estimate: seconds until it is done, as far as can be told; None unless queued or running.
        created, deadline: milliseconds since 1970.
        reason: why it failed, or empty.
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

    @classmethod
    def from_fields(
        cls, name: str, fields: Mapping[bytes, bytes], state: str, ahead: int, pace: float
    ) -> Self:
        """A status from a job's hash, the state that the server saw and its place in the lane.

        Args:
            name: the job's id.
            fields: of its hash.
            state: of the job and its work together.
            ahead: entries not yet taken up to and with this one; 0 if it was taken.
            pace: seconds in which the workers together do one piece of work; 0 if unknown.
        """
        text = {key.decode(): value.decode() for key, value in fields.items()}
        waiting = state == State.QUEUED
        alive = waiting or state == State.RUNNING
        return cls(
            id=name,
            task_id=text["work"],
            owner=text["owner"],
            state=State(state),
            created=int(text["created"]),
            deadline=int(text["deadline"]),
            meta=text["meta"],
            webhook=text["webhook"],
            batch=text["batch"],
            reason=text.get("reason", ""),
            position=max(1, ahead) if waiting else None,
            estimate=round(max(1, ahead) * pace, 3) if alive and pace else None,
        )
