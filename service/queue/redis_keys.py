"""The names of everything in Redis, and how to reach it."""

from dataclasses import dataclass
from typing import Any

from service.queue.jobs import Priority

GROUP = "workers"
# A worker beats every two seconds; one not heard of for this long is not counted on.
ALIVE_MS = 10_000
# RESP2 replies look the same from every server; a call may block for a while, but not for ever.
CONNECTION: dict[str, Any] = {"protocol": 2, "socket_timeout": 10, "socket_connect_timeout": 2}


@dataclass(frozen=True)
class RedisKeys:
    """Names under one namespace. The braces keep them on one node of a cluster."""

    namespace: str

    @property
    def prefix(self) -> str:
        """What every key begins with; the scripts make keys of it, too."""
        return f"{{{self.namespace}}}:"

    def stream(self, priority: str, model: str = "") -> str:
        """Return the stream of a priority and a model; without a model, the one of all workers."""
        if model:
            return f"{self.prefix}jobs:{priority}:{model}"
        return f"{self.prefix}jobs:batch" if priority == Priority.BATCH else f"{self.prefix}jobs"

    @property
    def models(self) -> str:
        """The set of models that have streams of their own."""
        return f"{self.prefix}models"

    def task(self, name: str) -> str:
        """The hash of a piece of work, and then of its outcome."""
        return f"{self.prefix}work:{name}"

    def subscribers(self, name: str) -> str:
        """The set of jobs that want a piece of work."""
        return f"{self.prefix}claims:{name}"

    def job(self, name: str) -> str:
        """The hash of a job."""
        return f"{self.prefix}job:{name}"

    def events(self, name: str) -> str:
        """The stream of a job's events, for replay."""
        return f"{self.prefix}events:{name}"

    def upload(self, name: str) -> str:
        """The picture of a job whose client comes back for the result."""
        return f"{self.prefix}upload:{name}"

    @property
    def hooks(self) -> str:
        """The sorted set of jobs whose webhook is to be sent, by when it is due."""
        return f"{self.prefix}hooks"

    def hook(self, name: str) -> str:
        """The hash of a job's webhook, which outlives the job."""
        return f"{self.prefix}hook:{name}"

    def batch(self, name: str) -> str:
        """What became of each picture of a batch, as JSON."""
        return f"{self.prefix}batch:{name}"

    def tombstone(self, name: str) -> str:
        """Why a job is no longer known: "deleted" by its client, or "lost" by Redis."""
        return f"{self.prefix}gone:{name}"

    @property
    def deadlines(self) -> str:
        """The sorted set of jobs that have not ended, by their deadline."""
        return f"{self.prefix}deadlines"

    @property
    def storage(self) -> str:
        """The sorted set of charges for what background jobs keep, by when each is released."""
        return f"{self.prefix}storage"

    @property
    def storage_bytes(self) -> str:
        """The hash of the bytes charged to each account, and to all as ``*``."""
        return f"{self.prefix}storage:bytes"

    @property
    def dead_letters(self) -> str:
        """The stream of work given up, with the reason."""
        return f"{self.prefix}dead"

    @property
    def workers(self) -> str:
        """The hash of workers' beats."""
        return f"{self.prefix}workers"

    @property
    def notifications(self) -> str:
        """The channel on which the name of finished work is called."""
        return f"{self.prefix}bells"

    @property
    def metrics(self) -> str:
        """The hash of counters."""
        return f"{self.prefix}metrics"

    @property
    def generation(self) -> str:
        """How often a reload of the bundles was asked for."""
        return f"{self.prefix}generation"

    @property
    def draining(self) -> str:
        """Set while no new job is taken."""
        return f"{self.prefix}draining"
