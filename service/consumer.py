"""The queue as a worker sees it: work on lease, renewed, finished once, retaken from the dead."""

import json
import os
import secrets
import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import ResponseError

from service.jobs import Lane
from service.keys import CONNECTION, GROUP, Keys
from service.metrics_names import BUCKETS, Counter, Histogram, count, observe
from service.scripts import script
from service.settings import Settings
from service.work import Failure, Outcome, Work

_LONG_GONE_MS = 3_600_000


@dataclass(frozen=True)
class Lease:
    """Work that is this worker's until it is finished, or the worker is silent for too long."""

    lane: str
    entry: str
    work: Work
    name: str
    queue_ms: float
    request_ids: Sequence[str] = ()
    traceparents: Sequence[str] = ()

    @property
    def images(self) -> int:
        """How many images the model makes for it."""
        return self.work.images


class Consumer:
    """A worker's side of the queue. Methods raise redis-py's own errors; the worker retries."""

    def __init__(self, settings: Settings) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._keys = Keys(settings.namespace)
        self._lease_ms = int(settings.lease_seconds * 1000)
        self._keep_ms = int(settings.result_seconds * 1000)
        self._keep_dead_ms = int(settings.dead_letter_seconds * 1000)
        self._max_deliveries = settings.max_deliveries
        self._redis: Any = redis.Redis.from_url(settings.queue_url, **CONNECTION)
        self._requeue_ms = int(settings.job_seconds * 1000)
        names = ("open", "finish", "requeue", "renew", "release", "beat")
        self._open, self._finish, self._put_back, self._renew, self._give_back, self._beat = (
            self._redis.register_script(script(name)) for name in names
        )
        self._held: dict[str, str] = {}
        self._lock = threading.Lock()

    def join(self) -> None:
        """Make the groups (at 0: what came before any worker counts), sweep out the long gone."""
        for lane in Lane:
            stream = self._keys.lane(lane)
            try:
                self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
            for other in self._redis.xinfo_consumers(stream, GROUP):
                if other["pending"] == 0 and other["idle"] > _LONG_GONE_MS:
                    self._redis.xgroup_delconsumer(stream, GROUP, other["name"])

    def take(self, turns: Sequence[tuple[Lane, int]]) -> list[Lease]:
        """New work, as much as there is at once.

        Args:
            turns: lanes in the order in which they are read, with the most to have in all after
                each.
        """
        taken: list[Lease] = []
        for lane, most in turns:
            if len(taken) < most:
                taken += self._read(lane, most - len(taken))
        return taken

    def await_work(self, seconds: float) -> list[Lease]:
        """Wait for work in any lane; none after ``seconds``."""
        sources = {self._keys.lane(lane): ">" for lane in Lane}
        wait_ms = max(1, int(seconds * 1000))  # 0 would mean for ever
        replies = self._redis.xreadgroup(GROUP, self.name, sources, count=1, block=wait_ms)
        lanes = {self._keys.lane(lane).encode(): lane for lane in Lane}
        return [x for stream, entries in replies for x in self._lease(lanes[stream], entries)]

    def retake(self) -> list[Lease]:
        """One piece of work of a worker that has been silent for a lease, if there is any.

        One and not many: whatever killed that worker may be in the batch, and alone it can
        take nothing down with it but itself.
        """
        for lane in Lane:
            place = b"0-0"
            while True:  # a call looks at ten entries, which may all be alive
                place, entries, *_ = self._redis.xautoclaim(
                    self._keys.lane(lane), GROUP, self.name, self._lease_ms, place, count=1
                )
                if entries:
                    return self._lease(lane, entries)
                if place == b"0-0":
                    break
        return []

    def finish(self, leases: Sequence[Lease], outcomes: Sequence[Outcome]) -> int:
        """Store outcomes, wake their clients, drop the entries; one round trip.

        Returns:
            How many were the first for their work.
        """
        with self._redis.pipeline(transaction=False) as pipe:
            for lease, outcome in zip(leases, outcomes, strict=True):
                self._finish(args=self._ending(lease, outcome), client=pipe)
            stored = pipe.execute()
        self._release(leases)
        return sum(int(one) for one in stored)

    def bury(self, lease: Lease, reason: str) -> None:
        """Give work up as a dead letter; an operator may put it back into its lane."""
        where = [self._keys.prefix, GROUP, lease.lane, lease.entry, lease.name]
        self._finish(args=[*where, self._keep_dead_ms, "failed", reason, 1])
        self._release([lease])

    def requeue(self, letter: str) -> bool:
        """Put the work of a dead letter back into its lane; False where either is gone."""
        deadline = self._requeue_ms
        return bool(self._put_back(args=[self._keys.prefix, GROUP, letter, deadline]))

    def renew(self) -> int:
        """Renew every lease held, and return how many are still ours."""
        with self._lock:
            held = [part for entry, lane in self._held.items() for part in (lane, entry)]
        if not held:
            return 0
        return int(self._renew(args=[self._keys.prefix, GROUP, self.name, *held]))

    def hand_back(self, leases: Sequence[Lease]) -> int:
        """Give back what was not begun, for another worker to take at once."""
        if not leases:
            return 0
        parts = [part for one in leases for part in (one.lane, one.entry, one.name)]
        back = int(self._give_back(args=[self._keys.prefix, GROUP, self.name, *parts]))
        count(self._redis, self._keys.metrics, Counter.RETURNED, back)
        self._release(leases)
        return back

    def count_batch(self, leases: Sequence[Lease], images: int, seconds: float) -> None:
        """Tell how a batch went to whoever watches."""
        seen = [
            (Histogram.BATCH_SIZE, float(images)),
            (Histogram.MODEL_SECONDS, seconds),
            *((Histogram.QUEUE_SECONDS, lease.queue_ms / 1000) for lease in leases),
        ]
        with self._redis.pipeline(transaction=False) as pipe:
            for name, value in seen:
                observe(pipe, self._keys.metrics, name, value, BUCKETS[name])
            pipe.execute()

    def beat(self, facts: Mapping[str, Any]) -> int:
        """Say that this worker lives and what it has loaded.

        Returns:
            The generation of bundles that is asked for.
        """
        return int(self._beat(args=[self._keys.prefix, self.name, json.dumps(facts)]))

    def leave(self) -> None:
        """Say goodbye. Jobs still held stay pending, for another worker to retake."""
        self._redis.hdel(self._keys.workers, self.name)

    def _read(self, lane: Lane, most: int) -> list[Lease]:
        source = {self._keys.lane(lane): ">"}
        replies = self._redis.xreadgroup(GROUP, self.name, source, count=most)
        return self._lease(lane, [entry for _, entries in replies for entry in entries])

    def _lease(
        self, lane: Lane, entries: Sequence[tuple[bytes, dict[bytes, bytes]]]
    ) -> list[Lease]:
        names = {entry.decode(): fields[b"work"].decode() for entry, fields in entries if fields}
        if not names:
            return []
        with self._lock:
            self._held.update(dict.fromkeys(names, str(lane)))
        limits = (self._max_deliveries, self._keep_ms, self._keep_dead_ms)
        parts = [part for pair in names.items() for part in pair]
        opened = self._open(args=[self._keys.prefix, GROUP, str(lane), self.name, *limits, *parts])
        now, found = int(opened[0]), zip(names.items(), opened[1:], strict=True)
        leases = [_lease_of(lane, named, facts, now) for named, facts in found if facts]
        taken = {lease.entry for lease in leases}
        self._forget(entry for entry in names if entry not in taken)
        return leases

    def _ending(self, lease: Lease, outcome: Outcome) -> list[Any]:
        where = [self._keys.prefix, GROUP, lease.lane, lease.entry, lease.name, self._keep_ms]
        if isinstance(outcome, Failure):
            return [*where, "failed", outcome.reason, 0]
        parts = [part for pair in outcome.fields().items() for part in pair]
        return [*where, "done", "", 0, *parts]

    def _release(self, leases: Iterable[Lease]) -> None:
        self._forget(lease.entry for lease in leases)

    def _forget(self, entries: Iterable[str]) -> None:
        with self._lock:
            for entry in entries:
                self._held.pop(entry, None)


def _lease_of(lane: Lane, named: tuple[str, str], found: Sequence[list[bytes]], now: int) -> Lease:
    fields, requests, traces = found
    facts = dict(zip(fields[::2], fields[1::2], strict=True))
    entry, name = named
    return Lease(
        lane=str(lane),
        entry=entry,
        work=Work.from_fields(facts),
        name=name,
        queue_ms=float(now - int(facts[b"created"])),
        request_ids=[one.decode() for one in requests if one],
        traceparents=[one.decode() for one in traces if one],
    )
