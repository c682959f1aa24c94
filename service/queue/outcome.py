"""The result of a job by its state, or the error that a client gets in its place."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.errors.queue import JobGone, JobLost
from service.queue.jobs import State
from service.queue.task import TaskFailure, TaskResult, TaskSuccess


def parse_outcome(reply: Sequence[Any]) -> TaskResult | None:
    """Parse the reply of `scripts/jobs/outcome.lua`, and raise as `unfinished_result`.

    Returns None while the job waits or runs.
    """
    state, reason, pairs = reply
    if state != b"done":
        return unfinished_result(State(state.decode()), reason.decode())
    return parse_result(dict(zip(pairs[::2], pairs[1::2], strict=True)))


def unfinished_result(state: State, reason: str) -> TaskFailure | None:
    """Return the failure of a job that is not done, or None while it waits or runs.

    Raises:
        JobGone: it was cancelled, or has expired.
        JobLost: Redis lost its records.
    """
    if state == State.FAILED:
        return TaskFailure(reason)
    if state == State.LOST:
        raise JobLost(f"{reason}; send the request again")
    if state in (State.CANCELLED, State.EXPIRED):
        because = f": {reason}" if reason else ""
        raise JobGone(f"the job is {state}{because}")
    return None


def parse_result(fields: Mapping[bytes, bytes]) -> TaskSuccess:
    """Parse the fields of a task that is done; raise `JobGone` if they have expired."""
    if b"fills" not in fields:
        raise JobGone("the result is no longer kept")
    return TaskSuccess.from_fields(fields)
