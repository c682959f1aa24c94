"""Batches in Redis: the job of each image of an upload, or why it has none."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter

from service.config.settings import Settings
from service.errors.queue import NoSuchBatch
from service.queue.client import Queue
from service.queue.jobs import State
from service.queue.redis_keys import GROUP
from service.queue.scripts import script
from service.redis.client import translate_redis_errors


@dataclass(frozen=True)
class BatchEntry:
    """An image of a batch: its untrusted name, and the id of its job or a problem document."""

    name: str
    job: str | None = None
    problem: dict[str, Any] | None = None


@dataclass(frozen=True)
class BatchManifest:
    """The images of a batch in the order of the upload; only its owner can see it."""

    owner: str
    entries: Sequence[BatchEntry]
    id: str = field(default_factory=lambda: uuid4().hex)

    @staticmethod
    def name(owner: str, key: str) -> str:
        """Return an id: the same for the same owner and Idempotency-Key, else random."""
        return sha256(f"{owner}\n{key}".encode()).hexdigest()[:32] if key else uuid4().hex

    @property
    def jobs(self) -> list[str]:
        """Ids of the jobs."""
        return [entry.job for entry in self.entries if entry.job]


_JSON = TypeAdapter(BatchManifest)


class BatchStore:
    """Stores manifests. Every method raises `QueueUnavailable` if Redis does not answer."""

    def __init__(self, queue: Queue, settings: Settings) -> None:
        self._queue = queue
        self._redis, self._keys = queue.redis, queue.keys
        self._keep_ms = int(settings.result_seconds * 1000)
        self._live_ms = int(settings.job_timeout * 1000) + self._keep_ms
        self._states = self._redis.register_script(script("jobs/states"))

    async def save(self, manifest: BatchManifest) -> None:
        """Store a manifest as long as its jobs may exist."""
        with translate_redis_errors():
            data = _JSON.dump_json(manifest)
            await self._redis.set(self._keys.batch + manifest.id, data, px=self._live_ms)

    async def load(self, name: str, owner: str) -> BatchManifest:
        """Return the owner's manifest, or raise `NoSuchBatch`."""
        with translate_redis_errors():
            data = await self._redis.get(self._keys.batch + name)
        manifest = data and _JSON.validate_json(data)
        if not manifest or manifest.owner != owner:
            raise NoSuchBatch("no batch of yours has this id, or it has expired")
        return manifest

    async def states(self, manifest: BatchManifest) -> dict[str, State]:
        """Return the state of each job of a batch. Unknown jobs are expired, or lost.

        Results are kept for their full time from now on, so that the first does not expire before
        the last is done.
        """
        jobs = manifest.jobs
        with translate_redis_errors():
            states = await self._states(args=[self._keys.prefix, GROUP, self._keep_ms, *jobs])
        found = dict(zip(jobs, (state.decode() for state in states), strict=True))
        for job, state in found.items():
            if state == "missing" and self._queue.is_lost(job, manifest.owner):
                found[job] = State.LOST
            elif state in ("missing", "deleted"):
                found[job] = State.EXPIRED
        return {job: State(state) for job, state in found.items()}

    async def forget(self, manifest: BatchManifest) -> None:
        """Delete a manifest, but not its jobs."""
        with translate_redis_errors():
            await self._redis.delete(self._keys.batch + manifest.id)
