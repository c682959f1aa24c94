"""The queue as a worker sees it: jobs on lease, renewed, finished once, retaken from the dead."""

import os
import secrets
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import ResponseError

from service import scripts
from service.jobs import Job, Outcome
from service.queue import CONNECTION, GROUP, Keys
from service.settings import Settings

_LONG_GONE_MS = 3_600_000


@dataclass(frozen=True)
class Lease:
    """A job that is this worker's until it is finished, or the worker is silent for too long."""

    entry: str
    job: Job
    queue_ms: float


class Consumer:
    """A worker's side of the queue. Methods raise redis-py's own errors; the worker retries."""

    def __init__(self, settings: Settings) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._keys = Keys(settings.namespace)
        self._lease_ms = int(settings.lease_seconds * 1000)
        self._keep_ms = int(settings.result_seconds * 1000)
        self._max_deliveries = settings.max_deliveries
        self._redis: Any = redis.Redis.from_url(settings.queue_url, **CONNECTION)
        self._open, self._finish, self._renew, self._beat = (
            self._redis.register_script(script)
            for script in (scripts.OPEN, scripts.FINISH, scripts.RENEW, scripts.BEAT)
        )
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def join(self) -> None:
        """Make the group (at 0: what came before any worker counts), sweep out the long gone."""
        try:
            self._redis.xgroup_create(self._keys.stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        for other in self._redis.xinfo_consumers(self._keys.stream, GROUP):
            if other["pending"] == 0 and other["idle"] > _LONG_GONE_MS:
                self._redis.xgroup_delconsumer(self._keys.stream, GROUP, other["name"])

    def take(self, limit: int, wait_seconds: float) -> list[Lease]:
        """Up to ``limit`` new jobs, as soon as there is one; none after ``wait_seconds``."""
        wait_ms = max(1, int(wait_seconds * 1000))  # 0 would mean for ever
        source = {self._keys.stream: ">"}
        replies = self._redis.xreadgroup(GROUP, self.name, source, count=limit, block=wait_ms)
        return self._lease([entry for _, entries in replies for entry in entries])

    def retake(self) -> list[Lease]:
        """One job of a worker that has been silent for a lease, if there is any.

        One and not many: whatever killed that worker may be in the batch, and alone it can
        take nothing down with it but itself.
        """
        reply = self._redis.xautoclaim(
            self._keys.stream, GROUP, self.name, self._lease_ms, "0-0", count=1
        )
        return self._lease(reply[1])

    def finish(self, lease: Lease, outcome: Outcome) -> bool:
        """Store the outcome, wake the client, drop the entry. False where it was not the first."""
        name = lease.job.id
        fields = [part for pair in outcome.fields().items() for part in pair]
        stored = self._finish(
            keys=[self._keys.stream, self._keys.job(name), self._keys.bell(name)],
            args=[GROUP, lease.entry, self._keep_ms, *fields],
        )
        self._release([lease.entry])
        return bool(stored)

    def renew(self) -> int:
        """Renew every lease held, and return how many are still ours."""
        with self._lock:
            held = sorted(self._held)
        if not held:
            return 0
        return int(self._renew(keys=[self._keys.stream], args=[GROUP, self.name, *held]))

    def beat(self, bundle: str) -> None:
        """Say that this worker lives, and with which bundle."""
        self._beat(keys=[self._keys.workers], args=[self.name, bundle])

    def leave(self) -> None:
        """Say goodbye. Jobs still held stay pending, for another worker to retake."""
        self._redis.hdel(self._keys.workers, self.name)

    def _lease(self, entries: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> list[Lease]:
        names = {entry.decode(): fields[b"id"].decode() for entry, fields in entries}
        if not names:
            return []
        with self._lock:
            self._held.update(names)
        opened = self._open(
            keys=[self._keys.stream, self._keys.dead, *self._places(names.values())],
            args=[
                GROUP,
                self._max_deliveries,
                self._keep_ms,
                *(x for kv in names.items() for x in kv),
            ],
        )
        now, found = int(opened[0]), zip(names.items(), opened[1:], strict=True)
        leases = [_read(entry, name, fields, now) for (entry, name), fields in found if fields]
        self._release(set(names) - {lease.entry for lease in leases})
        return leases

    def _places(self, names: Iterable[str]) -> list[str]:
        return [key for name in names for key in (self._keys.job(name), self._keys.bell(name))]

    def _release(self, entries: Iterable[str]) -> None:
        with self._lock:
            self._held.difference_update(entries)


def _read(entry: str, name: str, reply: list[bytes], now: int) -> Lease:
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    return Lease(entry, Job.from_fields(name, fields), float(now - int(fields[b"created"])))
