"""The bundles that live workers have loaded, read from Redis at most once per second."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from service.errors.requests import UnknownModel
from service.queue.client import Queue
from service.queue.worker_reports import Heartbeat

_MAX_AGE_SECONDS = 1.0


class WorkerRegistry:
    """Caches the heartbeats of live workers."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._heartbeats: Mapping[str, Heartbeat] = {}
        self._read_at = float("-inf")

    async def heartbeats(self) -> Mapping[str, Heartbeat]:
        """The heartbeat of every live worker, at most a second old."""
        if time.monotonic() - self._read_at > _MAX_AGE_SECONDS:
            self._heartbeats = await self._queue.workers()
            self._read_at = time.monotonic()
        return self._heartbeats

    async def resolve(self, model: str) -> tuple[str, str]:
        """The name and version (digest and engine) of a bundle; of the default for an empty name.

        Without live workers every name is accepted, with an empty version: the job waits.

        Raises:
            UnknownModel: no live worker has it.
        """
        heartbeats = await self.heartbeats()
        if not heartbeats:
            return model, ""
        best = _ordered(heartbeats)
        name = model or _default(best)
        for heartbeat in best:
            if name in heartbeat.models:
                return name, heartbeat.model_version(name)
        known = sorted({name for heartbeat in heartbeats.values() for name in heartbeat.models})
        raise UnknownModel(f"no bundle is called {name[:60]!r}; there are: {', '.join(known)}")


def default_model(heartbeats: Mapping[str, Heartbeat]) -> str:
    """The bundle for requests that name none; empty without live workers."""
    return _default(_ordered(heartbeats)) if heartbeats else ""


def _ordered(heartbeats: Mapping[str, Heartbeat]) -> list[Heartbeat]:
    """Healthy workers first, among them those with the newest bundles."""
    return sorted(
        heartbeats.values(), key=lambda heartbeat: (not heartbeat.is_healthy, -heartbeat.generation)
    )


def _default(best: Sequence[Heartbeat]) -> str:
    """The default bundle of most of the best workers."""
    first = best[0]
    votes = Counter(
        heartbeat.default
        for heartbeat in best
        if (heartbeat.is_healthy, heartbeat.generation) == (first.is_healthy, first.generation)
    )
    return min(votes, key=lambda name: (-votes[name], name))
