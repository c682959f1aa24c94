"""Which bundles the live workers have, asked for once a second at the most."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from service.errors.requests import UnknownModel
from service.queue.client import Heartbeat, Queue

_FRESH_SECONDS = 1.0


class WorkerRegistry:
    """The workers as the API knows them."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._beats: Mapping[str, Heartbeat] = {}
        self._asked = float("-inf")

    async def beats(self) -> Mapping[str, Heartbeat]:
        """What every live worker says of itself, a second old at the most."""
        if time.monotonic() - self._asked > _FRESH_SECONDS:
            self._beats = await self._queue.workers()
            self._asked = time.monotonic()
        return self._beats

    async def resolve(self, model: str) -> tuple[str, str]:
        """Name and version of a bundle (digest and engine); those of the default for no name.

        While no worker lives nothing is known, and any name goes: the job waits for a worker.

        Raises:
            UnknownModel: there are workers, but none has it.
        """
        beats = await self.beats()
        if not beats:
            return model, ""
        # Those that can fill first, and of them those whose bundles are the newest.
        best = _ordered(beats)
        name = model or _default(best)
        for beat in best:
            if name in beat.models:
                return name, beat.model_version(name)
        known = sorted({name for beat in beats.values() for name in beat.models})
        raise UnknownModel(f"no bundle is called {name[:60]!r}; there are: {', '.join(known)}")


def default_model(beats: Mapping[str, Heartbeat]) -> str:
    """The bundle that fills where a request names none; empty while no worker lives."""
    return _default(_ordered(beats)) if beats else ""


def _ordered(beats: Mapping[str, Heartbeat]) -> list[Heartbeat]:
    return sorted(beats.values(), key=lambda beat: (not beat.is_healthy, -beat.generation))


def _default(best: Sequence[Heartbeat]) -> str:
    """The default of most of the best workers, so that there is one at a time."""
    first = best[0]
    votes = Counter(
        beat.default
        for beat in best
        if (beat.is_healthy, beat.generation) == (first.is_healthy, first.generation)
    )
    return min(votes, key=lambda name: (-votes[name], name))
