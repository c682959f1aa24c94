"""Batches in Redis: which picture of an upload became which job, or why it did not."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self
from uuid import uuid4

from service.errors import NoSuchBatch


@dataclass(frozen=True)
class Entry:
    """A picture of a batch: the id of its job, or the problem document that says why it has none.

    Attributes:
        name: what the client calls it; a label, to be trusted with nothing.
    """

    name: str
    job: str | None = None
    problem: dict[str, Any] | None = None


@dataclass(frozen=True)
class Manifest:
    """What is known of a batch.

    Attributes:
        owner: name of the caller; nobody else is told about it.
        entries: in the order of the upload.
    """

    owner: str
    entries: Sequence[Entry]
    id: str = field(default_factory=lambda: uuid4().hex)

    @property
    def jobs(self) -> list[str]:
        """The jobs there are."""
        return [entry.job for entry in self.entries if entry.job]

    def dump(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """From JSON."""
        fields = json.loads(data)
        return cls(fields["owner"], [Entry(**entry) for entry in fields["entries"]], fields["id"])


class Batches:
    """Keeps manifests. Methods raise redis-py's own errors."""

    def __init__(self, redis: Any, prefix: str, keep_seconds: float) -> None:
        self._redis, self._prefix = redis, prefix
        self._keep_ms = int(keep_seconds * 1000)

    async def save(self, manifest: Manifest) -> None:
        """Keep a manifest for as long as its jobs may be."""
        await self._redis.set(self._key(manifest.id), manifest.dump(), px=self._keep_ms)

    async def load(self, name: str, owner: str) -> Manifest:
        """A manifest, or `NoSuchBatch` where there is none of this owner's."""
        data = await self._redis.get(self._key(name))
        manifest = data and Manifest.load(data)
        if not manifest or manifest.owner != owner:
            raise NoSuchBatch("there is no such batch, or no longer")
        return manifest

    async def forget(self, manifest: Manifest) -> None:
        """Drop a manifest; its jobs are not touched."""
        await self._redis.delete(self._key(manifest.id))

    def _key(self, name: str) -> str:
        return f"{self._prefix}batch:{name}"
