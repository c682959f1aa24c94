"""The bundles that live workers have loaded, read from Redis at most once per second."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from service.errors.requests import UnknownModel
from service.queue.client import Heartbeat, Queue

_MAX_AGE_SECONDS = 1.0


class WorkerRegistry:
    """Caches the heartbeats of live workers."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._beats: Mapping[str, Heartbeat] = {}
        self._asked = float("-inf")

    async def heartbeats(self) -> Mapping[str, Heartbeat]:
        """What every live worker says of itself, a second old at the most."""
        if time.monotonic() - self._asked > _MAX_AGE_SECONDS:
            self._beats = await self._queue.workers()
            self._asked = time.monotonic()
        return self._beats

    async def resolve(self, model: str) -> tuple[str, str]:
        """Name and version of a bundle (digest and engine); those of the default for no name.

        While no worker lives nothing is known, and any name goes: the job waits for a worker.

        Raises:
            UnknownModel: there are workers, but none has it.
        """
        heartbeats = await self.heartbeats()
        if not heartbeats:
            return model, ""
        # Those that can fill first, and of them those whose bundles are the newest.
        best = _ordered(heartbeats)
        name = model or _default(best)
        for heartbeat in best:
            if name in heartbeat.models:
                return name, heartbeat.model_version(name)
        known = sorted({name for heartbeat in heartbeats.values() for name in heartbeat.models})
        raise UnknownModel(f"no bundle is called {name[:60]!r}; there are: {', '.join(known)}")


def default_model(heartbeats: Mapping[str, Heartbeat]) -> str:
    """The bundle that fills where a request names none; empty while no worker lives."""
    return _default(_ordered(heartbeats)) if heartbeats else ""


def _ordered(heartbeats: Mapping[str, Heartbeat]) -> list[Heartbeat]:
    return sorted(
        heartbeats.values(), key=lambda heartbeat: (not heartbeat.is_healthy, -heartbeat.generation)
    )


def _default(best: Sequence[Heartbeat]) -> str:
    """The default of most of the best workers, so that there is one at a time."""
    first = best[0]
    votes = Counter(
        heartbeat.default
        for heartbeat in best
        if (heartbeat.is_healthy, heartbeat.generation) == (first.is_healthy, first.generation)
    )
    return min(votes, key=lambda name: (-votes[name], name))
