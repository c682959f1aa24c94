"""Names of the keys in Redis.

The keys `work:`, `claims:` and `bells` hold tasks, subscribers and notifications. They are shared
with processes of older versions during a rolling upgrade, and must not change.
"""

from service.queue.jobs import Priority

GROUP = "workers"


class RedisKeys:
    """Keys of one namespace; the id is appended to a name that ends with a colon.

    The braces of the prefix keep all keys on one node of a cluster. The scripts make more keys.
    """

    def __init__(self, namespace: str) -> None:
        self.prefix = prefix = f"{{{namespace}}}:"
        self.models = f"{prefix}models"  # set of the models that have their own streams
        self.task = f"{prefix}work:"  # hash of a task, and later of its result
        self.subscribers = f"{prefix}claims:"  # set of the jobs that wait for a task
        self.job = f"{prefix}job:"  # hash
        self.events = f"{prefix}events:"  # stream of a job's events
        self.upload = f"{prefix}upload:"  # image of a background job
        self.batch = f"{prefix}batch:"  # manifest as JSON
        self.hooks = f"{prefix}hooks"  # sorted set of jobs with a webhook to send, by due time
        self.hook = f"{prefix}hook:"  # hash of a job's webhook; it outlives the job
        self.storage = f"{prefix}storage"  # sorted set of charges for background jobs, by expiry
        self.storage_bytes = f"{prefix}storage:bytes"  # hash: bytes of each account, of all as *
        self.dead_letters = f"{prefix}dead"  # stream, with the reasons
        self.workers = f"{prefix}workers"  # hash of the workers' heartbeats
        self.notifications = f"{prefix}bells"  # channel for the ids of finished tasks
        self.metrics = f"{prefix}metrics"  # hash of counters and histograms
        self.generation = f"{prefix}generation"  # number of reloads that were requested
        self.captions = f"{prefix}captions:"  # hash of an encoder's vectors of captions
        self.draining = f"{prefix}draining"  # exists while new jobs are refused

    def stream(self, priority: str, model: str = "") -> str:
        """Return the stream of a priority and a model; without a model, the one of all workers."""
        if model:
            return f"{self.prefix}jobs:{priority}:{model}"
        return f"{self.prefix}jobs:batch" if priority == Priority.BATCH else f"{self.prefix}jobs"
