"""Batches in Redis: the job of each image of an upload, or why it has none."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Self
from uuid import uuid4

from service.config.settings import Settings
from service.errors.queue import NoSuchBatch
from service.queue.client import Queue
from service.queue.jobs import State
from service.queue.redis_keys import GROUP
from service.queue.scripts import script
from service.redis.client import translate_redis_errors


@dataclass(frozen=True)
class BatchEntry:
    """An image of a batch: the id of its job, or a problem document.

    Attributes:
        name: given by the client; untrusted.
    """

    name: str
    job: str | None = None
    problem: dict[str, Any] | None = None


@dataclass(frozen=True)
class BatchManifest:
    """The images of a batch.

    Attributes:
        owner: name of the caller; others cannot see it.
        entries: in the order of the upload.
    """

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

    def dump(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """From JSON."""
        fields = json.loads(data)
        return cls(
            fields["owner"], [BatchEntry(**entry) for entry in fields["entries"]], fields["id"]
        )


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
            await self._redis.set(self._keys.batch + manifest.id, manifest.dump(), px=self._live_ms)

    async def load(self, name: str, owner: str) -> BatchManifest:
        """Return the owner's manifest, or raise `NoSuchBatch`."""
        with translate_redis_errors():
            data = await self._redis.get(self._keys.batch + name)
        manifest = data and BatchManifest.load(data)
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
        return {
            job: self._state(job, manifest.owner, state.decode())
            for job, state in zip(jobs, states, strict=True)
        }

    def _state(self, job: str, owner: str, found: str) -> State:
        if found == "missing":
            return State.LOST if self._queue.is_lost(job, owner) else State.EXPIRED
        return State.EXPIRED if found == "deleted" else State(found)

    async def forget(self, manifest: BatchManifest) -> None:
        """Delete a manifest, but not its jobs."""
        with translate_redis_errors():
            await self._redis.delete(self._keys.batch + manifest.id)
