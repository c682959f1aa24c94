"""Heartbeats: what each live worker reports, as JSON in one Redis hash."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from service.queue.task import model_version

# Workers send a heartbeat every two seconds. One that is silent for longer counts as dead.
ALIVE_MS = 10_000


@dataclass(frozen=True)
class Heartbeat:
    """The last report of a worker.

    Attributes:
        models: digest of each bundle by its name.
        default: the bundle for tasks that name none.
        generation: of the loaded bundles; each reload counts it up.
        error: why the last reload failed, or None.
        engines: name of each bundle's engine by the bundle's name.
        tried: the last generation the worker tried to load, with or without success.
        unhealthy: bundles that take no tasks, each with the reason.
        at: when it was sent, in milliseconds since 1970.
    """

    models: Mapping[str, str]
    default: str = ""
    generation: int = 0
    error: str | None = None
    engines: Mapping[str, str] = field(default_factory=dict)
    tried: int = 0
    unhealthy: Mapping[str, str] = field(default_factory=dict)
    at: int = 0

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse JSON. Workers of older versions omit some fields; unknown fields are ignored."""
        facts = json.loads(data)
        return cls(**{name: facts[name] for name in cls.__dataclass_fields__ if name in facts})

    @property
    def is_healthy(self) -> bool:
        """Whether any bundle takes tasks."""
        return any(name not in self.unhealthy for name in self.models)

    def is_alive(self, now: int) -> bool:
        """Whether the worker counts as alive at a time in milliseconds since 1970."""
        return now - self.at < ALIVE_MS

    def model_version(self, name: str) -> str:
        """Return the digest and the engine of a loaded bundle."""
        return model_version(self.models[name], self.engines.get(name, ""))


def parse_heartbeats(workers: Mapping[bytes, bytes], time: tuple[int, int]) -> dict[str, Heartbeat]:
    """Return the heartbeats of live workers by the worker's name.

    Args:
        workers: the hash of heartbeats.
        time: Redis's reply to TIME: seconds and microseconds.
    """
    now = time[0] * 1000 + time[1] // 1000
    found = {name.decode(): Heartbeat.parse(data) for name, data in workers.items()}
    return {name: heartbeat for name, heartbeat in found.items() if heartbeat.is_alive(now)}
