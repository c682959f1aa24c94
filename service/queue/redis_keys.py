"""Names of the keys in Redis, and connection options.

The keys `work:`, `claims:` and `bells` hold tasks, subscribers and notifications. They are shared
with processes of older versions during a rolling upgrade, and must not change.
"""

from dataclasses import dataclass
from typing import Any

from service.queue.jobs import Priority

GROUP = "workers"
# RESP2 replies are the same on every server.
CONNECTION: dict[str, Any] = {"protocol": 2, "socket_timeout": 10, "socket_connect_timeout": 2}


@dataclass(frozen=True)
class RedisKeys:
    """Keys of one namespace. The braces keep them on one node of a cluster."""

    namespace: str

    @property
    def prefix(self) -> str:
        """Prefix of every key, also for the scripts."""
        return f"{{{self.namespace}}}:"

    def stream(self, priority: str, model: str = "") -> str:
        """Return the stream of a priority and a model; without a model, the one of all workers."""
        if model:
            return f"{self.prefix}jobs:{priority}:{model}"
        return f"{self.prefix}jobs:batch" if priority == Priority.BATCH else f"{self.prefix}jobs"

    @property
    def models(self) -> str:
        """Set of the models that have their own streams."""
        return f"{self.prefix}models"

    def task(self, name: str) -> str:
        """Hash of a task, and later of its result."""
        return f"{self.prefix}work:{name}"

    def subscribers(self, name: str) -> str:
        """Set of the jobs that wait for a task."""
        return f"{self.prefix}claims:{name}"

    def job(self, name: str) -> str:
        """Hash of a job."""
        return f"{self.prefix}job:{name}"

    def events(self, name: str) -> str:
        """Stream of a job's events."""
        return f"{self.prefix}events:{name}"

    def upload(self, name: str) -> str:
        """Image of a background job."""
        return f"{self.prefix}upload:{name}"

    @property
    def hooks(self) -> str:
        """Sorted set of jobs with a webhook to send, by when it is due."""
        return f"{self.prefix}hooks"

    def hook(self, name: str) -> str:
        """Hash of a job's webhook; it outlives the job."""
        return f"{self.prefix}hook:{name}"

    def batch(self, name: str) -> str:
        """Manifest of a batch, as JSON."""
        return f"{self.prefix}batch:{name}"

    def tombstone(self, name: str) -> str:
        """Why a job is gone: "deleted" by its client, or "lost" by Redis."""
        return f"{self.prefix}gone:{name}"

    @property
    def deadlines(self) -> str:
        """Sorted set of unfinished jobs, by deadline."""
        return f"{self.prefix}deadlines"

    @property
    def storage(self) -> str:
        """Sorted set of the bytes charged for background jobs, by expiry."""
        return f"{self.prefix}storage"

    @property
    def storage_bytes(self) -> str:
        """Hash of the bytes charged to each account, and to all as ``*``."""
        return f"{self.prefix}storage:bytes"

    @property
    def dead_letters(self) -> str:
        """Stream of the dead letters, with the reasons."""
        return f"{self.prefix}dead"

    @property
    def workers(self) -> str:
        """Hash of the workers' heartbeats."""
        return f"{self.prefix}workers"

    @property
    def notifications(self) -> str:
        """Channel on which the ids of finished tasks are published."""
        return f"{self.prefix}bells"

    @property
    def metrics(self) -> str:
        """Hash of counters and histograms."""
        return f"{self.prefix}metrics"

    @property
    def generation(self) -> str:
        """Number of reloads that were requested."""
        return f"{self.prefix}generation"

    @property
    def draining(self) -> str:
        """Exists while new jobs are refused."""
        return f"{self.prefix}draining"
