"""Leases: tasks that a worker has taken, and those it holds at present."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from service.queue.task import InferenceTask


@dataclass(frozen=True)
class Lease:
    """A task leased to a worker until it is finished, or the worker is silent for too long.

    Attributes:
        stream, entry: where the task lies in the queue.
        queue_ms: time from acceptance to the lease [ms].
        request_ids, traceparents: of the jobs that wait for the task.
    """

    stream: str
    entry: str
    task: InferenceTask
    task_id: str
    priority: str
    queue_ms: float
    request_ids: Sequence[str] = ()
    traceparents: Sequence[str] = ()

    @classmethod
    def from_reply(cls, reply: Sequence[Any], now: int) -> Self:
        """Parse a lease from the reply of a script that opens entries.

        Args:
            reply: stream, entry, task id, fields of the task, request ids, traceparents.
            now: time of the lease in milliseconds since 1970.

        Raises:
            KeyError, ValueError: the fields of the task are invalid.
        """
        stream, entry, task_id = (part.decode() for part in reply[:3])
        pairs, requests, traces = reply[3:]
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        return cls(
            stream=stream,
            entry=entry,
            task=InferenceTask.from_fields(fields),
            task_id=task_id,
            priority=fields[b"lane"].decode(),
            queue_ms=float(now - int(fields[b"created"])),
            request_ids=[one.decode() for one in requests if one],
            traceparents=[one.decode() for one in traces if one],
        )

    @property
    def images(self) -> int:
        """Number of images that the model generates for it."""
        return self.task.images


class HeldLeases:
    """Stream and entry of every lease a worker holds. Safe for several threads."""

    def __init__(self) -> None:
        self._entries: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, leases: Iterable[Lease]) -> None:
        """Hold leases."""
        with self._lock:
            self._entries.update((lease.stream, lease.entry) for lease in leases)

    def remove(self, leases: Iterable[Lease]) -> None:
        """Hold leases no more."""
        with self._lock:
            self._entries.difference_update((lease.stream, lease.entry) for lease in leases)

    def clear(self) -> int:
        """Remove all leases; return how many there were."""
        with self._lock:
            count = len(self._entries)
            self._entries.clear()
        return count

    def flatten(self) -> list[str]:
        """Return stream and entry of each lease, as arguments of a script."""
        with self._lock:
            return [part for entry in self._entries for part in entry]
