"""The worker's client of the queue: lease tasks, renew, finish, release and reclaim them."""

import json
import logging
import os
import secrets
import socket
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from service.config.settings import Settings
from service.observability import describe
from service.queue.jobs import Priority
from service.queue.redis_keys import GROUP, RedisKeys
from service.queue.scripts import script
from service.queue.stats import BUCKETS
from service.queue.task import Lease, TaskFailure, TaskResult
from service.redis.client import CONNECTION, reason_of

log = logging.getLogger("captionfill.worker")

_SCRIPTS = (
    "finish", "heartbeat", "open", "reclaim", "release", "renew", "requeue", "sweep", "take",
)  # fmt: skip
_SWEEP_LIMIT = 200  # entries of each stream in one sweep
_IDLE_CONSUMER_MS = 3_600_000


class Consumer:
    """A consumer of the Redis streams. Methods raise redis-py's errors; the worker retries.

    `renew` renews the leases that are held. A lease ends with `finish`, `dead_letter`, `release`
    or `drop_leases`; the caller ends each lease before it takes new tasks.
    """

    def __init__(self, settings: Settings, client: Any = None) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._keys = RedisKeys(settings.namespace)
        self._lease_ms = int(settings.lease_seconds * 1000)
        self._ttl_ms = int(settings.result_seconds * 1000)
        self._dead_letter_ttl_ms = int(settings.dead_letter_seconds * 1000)
        self._requeue_ms = int(settings.job_timeout * 1000)
        self._max_deliveries = settings.max_deliveries
        self._redis: Any = client or redis.Redis.from_url(settings.queue_url, **CONNECTION)
        self._scripts = {
            name: self._redis.register_script(script(f"tasks/{name}")) for name in _SCRIPTS
        }
        self.select_models([""])
        # Stream and entry of each lease. The maintenance thread reads the set, so it is replaced
        # and never changed.
        self._held: frozenset[tuple[str, str]] = frozenset()

    def create_streams(self, models: Collection[str] = ()) -> None:
        """Create the streams of this worker's models, and read them from now on.

        The consumer groups start at 0, so that entries from before the first worker count.
        Consumers that were idle for an hour are removed.
        """
        for priority in Priority:
            for model in ("", *models):
                self._create_group(self._keys.stream(priority, model))
        if models:
            self._redis.sadd(self._keys.models, *models)
        self.select_models(["", *models])

    def select_models(self, models: Collection[str]) -> None:
        """Read only the streams of these models; an empty name stands for tasks without a model."""
        self._models = list(models)
        self._streams = {
            self._keys.stream(priority, model): ">" for priority in Priority for model in models
        }

    def take(self, read_order: Sequence[tuple[Priority, int]]) -> list[Lease]:
        """Lease new tasks without waiting, in one atomic step.

        Each priority has the most tasks to have in all after reading it.
        """
        if not self._models:
            return []
        # Round robin, so that steady work for one model starves no other.
        self._models.append(self._models.pop(0))
        return self._lease(
            "take", [part for priority, most in read_order for part in (str(priority), most)]
        )

    def poll(self, seconds: float) -> list[Lease]:
        """Wait up to ``seconds`` for a new task of any priority."""
        if not self._models:
            return []
        block_ms = max(1, int(seconds * 1000))  # 0 would block for ever
        replies = self._redis.xreadgroup(GROUP, self.name, self._streams, count=1, block=block_ms)
        entries = [
            part
            for stream, found in replies
            for entry, fields in found
            for part in (stream, entry, fields.get(b"work", b""))
        ]
        return self._lease("open", entries) if entries else []

    def reclaim(self) -> list[Lease]:
        """Lease one task that no worker works on, if there is any.

        Its worker was silent for a lease, or released it, or the reply of Redis to this worker was
        lost. Only one, because it may have crashed its worker: alone it takes no other task along.
        """
        if not self._models:
            return []
        return self._lease("reclaim", [self._lease_ms, *self._held_entries()])

    def finish(self, leases: Sequence[Lease], results: Sequence[TaskResult]) -> int:
        """Store results, notify the clients and remove the entries, in one round trip.

        It may be repeated after an error: a result is stored once. Returns how many results were
        stored by this call.
        """
        arguments = [
            self._finish_arguments(lease, result)
            for lease, result in zip(leases, results, strict=True)
        ]
        stored = self._run_all("finish", arguments)
        self._forget(leases)
        return sum(int(one) for one in stored)

    def dead_letter(self, lease: Lease, reason: str) -> None:
        """Move a task to the dead letters, with a reason for the client and the operator.

        `requeue` puts it back. A new request for it gets the same failure.
        """
        self._dead_letter(lease.stream, lease.entry, lease.task_id, reason)
        self._forget([lease])

    def requeue(self, letter: str) -> bool:
        """Put the task of a dead letter back into its stream; False where either is gone."""
        return bool(self._run("requeue", [GROUP, letter, self._requeue_ms, self._ttl_ms]))

    def renew(self) -> int:
        """Renew every lease that is held. Returns how many still belong to this worker."""
        held = self._held_entries()
        return int(self._run("renew", [GROUP, self.name, *held])) if held else 0

    def release(self, leases: Sequence[Lease], reason: str = "") -> int:
        """Return tasks to the queue, for any worker to reclaim at once.

        The reason says why they failed, so that this delivery counts; it is empty where they did
        not start. Returns how many still belonged to this worker.
        """
        if not leases:
            return 0
        entries = [part for one in leases for part in (one.stream, one.entry, one.task_id)]
        released = int(self._run("release", [GROUP, self.name, reason, *entries]))
        self._forget(leases)
        return released

    def drop_leases(self) -> None:
        """Stop renewing all leases. They expire, and other workers reclaim the tasks.

        The worker calls this after each step, so that no error leaves a lease that is renewed
        while its task is not worked on.
        """
        if self._held:
            log.warning("leases dropped", extra={"leases": len(self._held)})
            self._held = frozenset()

    def count_batch(self, leases: Sequence[Lease], images: int, seconds: float) -> None:
        """Record the metrics of a batch. They are lost if Redis is unavailable."""
        values = [
            ("batch_size", float(images)),
            ("model_seconds", seconds),
            *(("queue_seconds", lease.queue_ms / 1000) for lease in leases),
        ]
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for name, value in values:
                    observe(pipe, self._keys.metrics, name, value)
                pipe.execute()
        except RedisError as error:
            log.warning("batch metrics not recorded", extra={"reason": reason_of(error)})

    def sweep(self) -> None:
        """Remove some entries whose task has expired, in every stream."""
        self._run("sweep", [GROUP, self._ttl_ms, _SWEEP_LIMIT])

    def heartbeat(self, facts: Mapping[str, Any]) -> int:
        """Report that this worker is alive. Returns the generation of bundles that is requested.

        The facts are `service.queue.worker_reports.Heartbeat`'s, and ``pace`` [s per task].
        """
        return int(self._run("heartbeat", [self.name, json.dumps(facts)]))

    def reconnect(self) -> None:
        """Close idle connections: a demoted master answers reads on them, and refuses writes.

        A new connection resolves the address again.
        """
        self._redis.connection_pool.disconnect(inuse_connections=False)

    def deregister(self) -> None:
        """Remove the heartbeat. Tasks still held stay pending, for other workers to reclaim."""
        self._redis.hdel(self._keys.workers, self.name)

    def _create_group(self, stream: str) -> None:
        try:
            self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        for other in self._redis.xinfo_consumers(stream, GROUP):
            if other["pending"] == 0 and other["idle"] > _IDLE_CONSUMER_MS:
                self._redis.xgroup_delconsumer(stream, GROUP, other["name"])

    def _run(self, name: str, arguments: Sequence[Any]) -> Any:
        return self._scripts[name](args=[self._keys.prefix, *arguments])

    def _run_all(self, name: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """Run a script for each list of arguments, in one round trip.

        redis-py's own pipeline asks before each whether the server has the script. Here that is
        found out by the call, and all of them are repeated: the script must allow that.
        """
        one = self._scripts[name]
        with self._redis.pipeline(transaction=False) as pipe:
            for arguments in calls:
                pipe.evalsha(one.sha, 0, *arguments)
            try:
                return list(pipe.execute())
            except NoScriptError:
                self._redis.script_load(one.script)
            for arguments in calls:
                pipe.evalsha(one.sha, 0, *arguments)
            return list(pipe.execute())

    def _lease(self, name: str, arguments: Sequence[Any]) -> list[Lease]:
        """Run a script that opens entries, and hold the leases it returns."""
        limits = (self._max_deliveries, self._ttl_ms, self._dead_letter_ttl_ms)
        models = (len(self._models), *self._models)
        now, *replies = self._run(name, [GROUP, self.name, *limits, *models, *arguments])
        leases = []
        for reply in replies:
            try:
                leases.append(Lease.from_reply(reply, int(now)))
            except (KeyError, ValueError) as error:
                stream, entry, task_id = (part.decode() for part in reply[:3])
                reason = f"its fields cannot be read: {describe(error)}"
                self._dead_letter(stream, entry, task_id, reason)
        self._held |= {(lease.stream, lease.entry) for lease in leases}
        return leases

    def _held_entries(self) -> list[str]:
        """Return stream and entry of each lease that is held, as arguments of a script."""
        return [part for entry in self._held for part in entry]

    def _forget(self, leases: Sequence[Lease]) -> None:
        self._held -= {(lease.stream, lease.entry) for lease in leases}

    def _dead_letter(self, stream: str, entry: str, task_id: str, reason: str) -> None:
        ending = [self._ttl_ms, "failed", reason, self._dead_letter_ttl_ms, "cause", "content"]
        self._run("finish", [GROUP, stream, entry, task_id, *ending])

    def _finish_arguments(self, lease: Lease, result: TaskResult) -> list[Any]:
        prefix = [self._keys.prefix, GROUP, lease.stream, lease.entry, lease.task_id, self._ttl_ms]
        if isinstance(result, TaskFailure):
            return [*prefix, "failed", result.reason, 0]
        return [*prefix, "done", "", 0, *(x for pair in result.fields().items() for x in pair)]


def observe(pipeline: Any, key: str, name: str, value: float) -> None:
    """Add one observation to a histogram of the hash ``key``: its bucket, count and sum.

    The bucket is the first whose upper bound is not below the value.
    """
    buckets = BUCKETS[name]
    place = bisect_left(buckets, value)
    bound = f"{buckets[place]:g}" if place < len(buckets) else "inf"
    pipeline.hincrby(key, f"{name}:le:{bound}", 1)
    pipeline.hincrby(key, f"{name}:count", 1)
    pipeline.hincrbyfloat(key, f"{name}:sum", value)
