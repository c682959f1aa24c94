"""The queue as a worker sees it: work on lease, renewed, finished once, retaken from the dead."""

import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError, ResponseError

from service.config.settings import Settings
from service.observability.logs import describe
from service.queue.counters import BUCKETS, Histogram, observe
from service.queue.jobs import Priority
from service.queue.redis_keys import CONNECTION, GROUP, RedisKeys
from service.queue.scripts import script
from service.queue.task import InferenceTask, TaskFailure, TaskResult
from service.redis.client import FailoverClient
from service.redis.errors import reason_of

log = logging.getLogger("captionfill.worker")

_SCRIPTS = (
    "finish",
    "heartbeat",
    "open",
    "reclaim",
    "release",
    "renew",
    "requeue",
    "sweep",
    "take",
)
# At most so many entries of a stream are looked at in one sweep.
_SWEEP_MOST = 200
_LONG_GONE_MS = 3_600_000


@dataclass(frozen=True)
class Lease:
    """Work that is this worker's until it is finished, or the worker is silent for too long."""

    stream: str
    entry: str
    task: InferenceTask
    task_id: str
    priority: str
    queue_ms: float
    request_ids: Sequence[str] = ()
    traceparents: Sequence[str] = ()

    @property
    def images(self) -> int:
        """How many images the model makes for it."""
        return self.task.images


class Consumer:
    """A worker's side of the queue. Methods raise redis-py's own errors; the worker retries.

    The leases that it holds are those that `renew` renews. They end with `finish`, `bury`,
    `hand_back` or `let_go`; the caller calls one of them for each lease before it looks again.
    """

    def __init__(self, settings: Settings, client: Any = None) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._keys = RedisKeys(settings.namespace)
        self._lease_ms = int(settings.lease_seconds * 1000)
        self._keep_ms = int(settings.result_seconds * 1000)
        self._keep_dead_ms = int(settings.dead_letter_seconds * 1000)
        self._max_deliveries = settings.max_deliveries
        self._redis: Any = client or FailoverClient.from_url(settings.queue_url, **CONNECTION)
        self._requeue_ms = int(settings.job_timeout * 1000)
        self._scripts = {
            name: self._redis.register_script(script(f"tasks/{name}")) for name in _SCRIPTS
        }
        self._models: list[str] = [""]
        self._held: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def join(self, models: Collection[str] = ()) -> None:
        """Make the streams of this worker's models, and read them from now on.

        The groups begin at 0: what came before any worker counts. Consumers that have been idle
        for long are removed.

        Args:
            models: names of the bundles it has.
        """
        for priority in Priority:
            for model in ("", *models):
                self._make_group(self._keys.stream(priority, model))
        if models:
            self._redis.sadd(self._keys.models, *models)
        self.serve(["", *models])

    def serve(self, models: Collection[str]) -> None:
        """Read the streams of some models alone; an empty name is for work that names none."""
        self._models = list(models)

    def take(self, read_order: Sequence[tuple[Priority, int]]) -> list[Lease]:
        """New work, as much as there is at once; one call, in which no entry can be left unopened.

        Args:
            read_order: pairs of a priority and the most tasks to have in all after reading it.
        """
        if not self._models:
            return []
        # Each time another model comes first, so that steady work for one starves no other.
        self._models.append(self._models.pop(0))
        parts = [part for priority, most in read_order for part in (str(priority), most)]
        return self._opened("take", parts)

    def poll(self, seconds: float) -> list[Lease]:
        """Wait for work in any lane; none after ``seconds``."""
        sources = {
            self._keys.stream(priority, model): ">"
            for priority in Priority
            for model in self._models
        }
        if not sources:
            return []
        wait_ms = max(1, int(seconds * 1000))  # 0 would mean for ever
        replies = self._redis.xreadgroup(GROUP, self.name, sources, count=1, block=wait_ms)
        parts = [
            part
            for stream, entries in replies
            for entry, fields in entries
            for part in (stream, entry, fields.get(b"work", b""))
        ]
        return self._opened("open", parts) if parts else []

    def reclaim(self) -> list[Lease]:
        """One piece of work that nobody works on, if there is any.

        It is of a worker that has been silent for a lease, or was handed back, or it is this
        worker's own, by a reply that was lost. One and not many: whatever killed that worker may
        be in the batch, and alone it can take nothing down with it but itself.
        """
        return self._opened("reclaim", [self._lease_ms, *self._parts()]) if self._models else []

    def finish(self, leases: Sequence[Lease], outcomes: Sequence[TaskResult]) -> int:
        """Store outcomes, wake their clients, drop the entries; one round trip.

        It may be called again after an error: an outcome is stored once.

        Returns:
            How many were the first for their work.
        """
        with self._redis.pipeline(transaction=False) as pipe:
            for lease, outcome in zip(leases, outcomes, strict=True):
                self._scripts["finish"](args=self._ending(lease, outcome), client=pipe)
            stored = pipe.execute()
        self._release(leases)
        return sum(int(one) for one in stored)

    def dead_letter(self, lease: Lease, reason: str, *, infrastructure: bool = False) -> None:
        """Give work up as a dead letter; an operator may put it back into its lane.

        Args:
            lease: of the work.
            reason: for the client and the operator.
            infrastructure: the work itself is not known to be at fault, so that a new request for
                it is tried anew instead of being answered with this failure.
        """
        cause = "infrastructure" if infrastructure else "content"
        self._dead_letter(lease.stream, lease.entry, lease.task_id, reason, cause)
        self._release([lease])

    def requeue(self, letter: str) -> bool:
        """Put the work of a dead letter back into its lane; False where either is gone."""
        return bool(self._run("requeue", [GROUP, letter, self._requeue_ms, self._keep_ms]))

    def renew(self) -> int:
        """Renew every lease held, and return how many are still ours."""
        held = self._parts()
        return int(self._run("renew", [GROUP, self.name, *held])) if held else 0

    def release(self, leases: Sequence[Lease], reason: str = "") -> int:
        """Give work back, for any worker to take at once.

        Args:
            leases: of the work.
            reason: why it failed here, so that this delivery counts; empty where it was not begun.
        """
        if not leases:
            return 0
        parts = [part for one in leases for part in (one.stream, one.entry, one.task_id)]
        back = int(self._run("release", [GROUP, self.name, reason, *parts]))
        self._release(leases)
        return back

    def drop_leases(self) -> None:
        """Hold no lease any more, whatever has happened: those left run out, and others take them.

        The worker calls this after each step, so that no error can leave a lease that is renewed
        while nobody works on it.
        """
        with self._lock:
            left = len(self._held)
            self._held.clear()
        if left:
            log.warning("leases let go", extra={"leases": left})

    def count_batch(self, leases: Sequence[Lease], images: int, seconds: float) -> None:
        """Tell how a batch went to whoever watches; a count that cannot be stored is lost."""
        seen = [
            (Histogram.BATCH_SIZE, float(images)),
            (Histogram.MODEL_SECONDS, seconds),
            *((Histogram.QUEUE_SECONDS, lease.queue_ms / 1000) for lease in leases),
        ]
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for name, value in seen:
                    observe(pipe, self._keys.metrics, name, value, BUCKETS[name])
                pipe.execute()
        except RedisError as error:
            log.warning("batch not counted", extra={"reason": reason_of(error)})

    def sweep(self) -> None:
        """Drop some entries whose work has expired, in every stream there is."""
        self._run("sweep", [GROUP, self._keep_ms, _SWEEP_MOST])

    def heartbeat(self, facts: Mapping[str, Any]) -> int:
        """Say that this worker lives and what it has loaded.

        Returns:
            The generation of bundles that is asked for.
        """
        return int(self._run("heartbeat", [self.name, json.dumps(facts)]))

    def reconnect(self) -> None:
        """Connect anew for the next call: where this master was demoted, its name may lead on."""
        self._redis.connection_pool.disconnect(inuse_connections=False)

    def deregister(self) -> None:
        """Say goodbye. Jobs still held stay pending, for another worker to retake."""
        self._redis.hdel(self._keys.workers, self.name)

    def _parts(self) -> list[str]:
        """Stream and entry of each lease held, one after the other."""
        with self._lock:
            return [part for one in self._held for part in one]

    def _make_group(self, stream: str) -> None:
        try:
            self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        for other in self._redis.xinfo_consumers(stream, GROUP):
            if other["pending"] == 0 and other["idle"] > _LONG_GONE_MS:
                self._redis.xgroup_delconsumer(stream, GROUP, other["name"])

    def _run(self, name: str, parts: Sequence[Any]) -> Any:
        return self._scripts[name](args=[self._keys.prefix, *parts])

    def _opened(self, name: str, parts: Sequence[Any]) -> list[Lease]:
        """The leases that a script opens, held from now on."""
        limits = (self._max_deliveries, self._keep_ms, self._keep_dead_ms)
        models = (len(self._models), *self._models)
        now, *found = self._run(name, [GROUP, self.name, *limits, *models, *parts])
        leases = []
        for facts in found:
            try:
                leases.append(_lease_of(facts, int(now)))
            except (KeyError, ValueError) as error:
                stream, entry, task = (part.decode() for part in facts[:3])
                self._dead_letter(
                    stream, entry, task, f"its fields cannot be read: {describe(error)}"
                )
        with self._lock:
            self._held.update((lease.stream, lease.entry) for lease in leases)
        return leases

    def _dead_letter(
        self, stream: str, entry: str, task: str, reason: str, cause: str = "content"
    ) -> None:
        ending = [self._keep_ms, "failed", reason, self._keep_dead_ms, "cause", cause]
        self._run("finish", [GROUP, stream, entry, task, *ending])

    def _ending(self, lease: Lease, outcome: TaskResult) -> list[Any]:
        where = [self._keys.prefix, GROUP, lease.stream, lease.entry, lease.task_id, self._keep_ms]
        if isinstance(outcome, TaskFailure):
            return [*where, "failed", outcome.reason, 0]
        parts = [part for pair in outcome.fields().items() for part in pair]
        return [*where, "done", "", 0, *parts]

    def _release(self, leases: Iterable[Lease]) -> None:
        with self._lock:
            self._held.difference_update((lease.stream, lease.entry) for lease in leases)


def _lease_of(found: Sequence[Any], now: int) -> Lease:
    stream, entry, task_id = (part.decode() for part in found[:3])
    fields, requests, traces = found[3:]
    facts = dict(zip(fields[::2], fields[1::2], strict=True))
    return Lease(
        stream=stream,
        entry=entry,
        task=InferenceTask.from_fields(facts),
        task_id=task_id,
        priority=facts[b"lane"].decode(),
        queue_ms=float(now - int(facts[b"created"])),
        request_ids=[one.decode() for one in requests if one],
        traceparents=[one.decode() for one in traces if one],
    )
