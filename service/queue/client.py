"""The API's client of the queue: enqueue jobs, wait for results, cancel."""

import asyncio
import json
import time
from typing import Any

import redis.asyncio

from captionfill.errors import CaptionfillError
from service.config.settings import Settings
from service.errors.queue import (
    AnswerTimeout,
    Draining,
    JobGone,
    JobLost,
    NoSuchJob,
    QueueFull,
    QueueUnavailable,
    QuotaExceeded,
)
from service.errors.requests import KeyReused
from service.queue.job_events import JobEvents
from service.queue.jobs import EnqueueResult, IdempotencyKey, Job, Priority, State, Status, age_of
from service.queue.outcome import parse_outcome, parse_result, unfinished_result
from service.queue.redis_keys import GROUP, RedisKeys
from service.queue.scripts import script
from service.queue.task import TaskResult
from service.queue.worker_reports import (
    POLL_SECONDS,
    CompletionNotifier,
    Heartbeat,
    parse_heartbeats,
    wait_for,
)
from service.redis.client import CONNECTION, AsyncFailoverClient, translate_redis_errors

_RETRY_SECONDS = 0.5
_FULL = "as many jobs as are taken are waiting"
# Replies of `scripts/jobs/enqueue.lua` that refuse a job.
_REFUSALS: dict[bytes, tuple[type[CaptionfillError], str]] = {
    b"full": (QueueFull, _FULL),
    b"memory": (
        QueueFull,
        "the memory for background jobs is full; a request without respond-async and webhook is "
        "still taken",
    ),
    b"quota": (
        QuotaExceeded,
        "at most {0.caller_bytes:,} bytes are kept for the background jobs of one caller: fetch "
        "results and DELETE /jobs/{{job}}, or wait until they expire",
    ),
    b"draining": (Draining, "no new jobs are taken just now"),
    b"mismatch": (KeyReused, "this Idempotency-Key came with another request before"),
}


class Queue:
    """The queue for the API. Every method raises `QueueUnavailable` if Redis does not answer.

    Attributes:
        redis: the client, for other stores in the same Redis.
        notifier: notifies of tasks that end.
        events: of jobs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.keys = RedisKeys(settings.namespace)
        # Every step is short, so few connections serve many requests.
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            settings.queue_url, max_connections=64, timeout=5, **CONNECTION
        )
        self.redis: Any = AsyncFailoverClient.from_pool(pool)
        self.notifier = CompletionNotifier(self.redis, self.keys.notifications)
        self.events = JobEvents(self.redis, self.keys, self.notifier)
        self._ttl_ms = int(settings.result_seconds * 1000)
        names = ("cancel", "enqueue", "has_room", "outcome", "status", "sweep")
        self._scripts = {name: self.redis.register_script(script(f"jobs/{name}")) for name in names}

    async def _run(self, name: str, *arguments: Any) -> Any:
        with translate_redis_errors():
            return await self._scripts[name](args=[self.keys.prefix, GROUP, *arguments])

    async def check_room(self) -> None:
        """Raise `QueueFull` early for an interactive task. Only `put` reserves a place."""
        limit = self._settings.queue_limit
        if not await self._run("has_room", str(Priority.INTERACTIVE), limit, self._ttl_ms):
            raise QueueFull(_FULL)

    async def put(
        self, job: Job, upload: bytes | None = None, idempotency: IdempotencyKey | None = None
    ) -> EnqueueResult:
        """Enqueue a job, in one atomic step with all checks.

        The upload is the image, if the client will fetch the result later. A repeated idempotency
        key gives the earlier job.

        Raises:
            QueueFull, Draining: nothing was enqueued.
            QuotaExceeded: the job's account stores too many bytes; nothing was enqueued.
            KeyReused: the key was used for another payload.
        """
        settings = self._settings
        charge = {
            "account": job.account,
            "bytes": job.stored_bytes + len(upload or b"") if job.background else 0,
            "most": settings.caller_bytes,
            "reserve": settings.reserved_memory,
            "total": settings.background_bytes,
        }
        fields, task_fields = (
            [part for pair in one.fields().items() for part in pair] for one in (job, job.task)
        )
        is_batch = job.priority == Priority.BATCH
        limit = settings.batch_queue_limit if is_batch else settings.queue_limit
        reply, name = await self._run(
            "enqueue",
            *(job.id, job.task.id, str(job.priority), limit),
            *(int(job.seconds * 1000), self._ttl_ms),
            *(idempotency or ("", "")),
            *(int(settings.idempotency_seconds * 1000), upload or b"", json.dumps(charge)),
            *(len(fields), *fields, *task_fields),
        )
        if reply in _REFUSALS:
            error, message = _REFUSALS[reply]
            raise error(message.format(settings))
        return EnqueueResult(name.decode(), reply != b"same", reply in (b"done", b"failed"))

    async def status(self, name: str, owner: str = "local") -> Status:
        """Return the status of a job.

        Raises:
            NoSuchJob: there is no such job.
            JobLost: the owner's job was accepted, but Redis lost it.
        """
        fields, state, ahead, pace = await self._read("status", name, owner)
        pairs = dict(zip(fields[::2], fields[1::2], strict=True))
        return Status.from_fields(name, pairs, State(state.decode()), ahead, float(pace))

    async def _read(self, script_name: str, name: str, owner: str) -> list[Any]:
        """Run a script that reads a job; raise as `status` where Redis does not have the job."""
        found = await self._run(script_name, name, self._ttl_ms)
        if isinstance(found, list):
            return found
        is_owners = age_of(name, self._settings.namespace, owner) is not None
        if (found == b"lost" and is_owners) or (found is None and self.is_lost(name, owner)):
            raise JobLost("Redis has lost this job; send the request again")
        raise _no_such_job()

    def is_lost(self, name: str, owner: str) -> bool:
        """Whether a job that Redis does not know is too young to have expired.

        A job that its client did not delete is kept for at least `result_seconds`.
        """
        age = age_of(name, self._settings.namespace, owner)
        return age is not None and age < self._settings.result_seconds

    async def result(self, status: Status) -> TaskResult | None:
        """Return the result of a job, or None while it waits or runs.

        Raises:
            JobGone: it was cancelled, or it or its result has expired.
            JobLost: Redis lost its records.
        """
        if status.state != State.DONE:
            return unfinished_result(status.state, status.reason)
        with translate_redis_errors():
            fields = await self.redis.hgetall(self.keys.task + status.task_id)
        return parse_result(fields)

    async def wait(
        self, name: str, seconds: float, completion: asyncio.Event, owner: str = "local"
    ) -> TaskResult:
        """Wait for the result of a job. An outage of Redis is waited out.

        ``completion`` is set when the task ends; subscribe to it before the job is enqueued.

        Raises:
            AnswerTimeout, JobGone, JobLost.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            await wait_for(completion, min(left, POLL_SECONDS))
            try:
                reply = await self._read("outcome", name, owner)
                if reply[0] == b"expired":
                    break
                result = parse_outcome(reply)
            except QueueUnavailable:
                await asyncio.sleep(min(left, _RETRY_SECONDS))
                continue
            except NoSuchJob as error:  # deleted meanwhile
                raise JobGone("the job is no longer known") from error
            if result is not None:
                return result
        raise AnswerTimeout(f"no worker finished the job in {seconds:g} s")

    async def cancel(self, name: str, *, forget: bool = False) -> State:
        """Cancel a job, and return its state before; `NoSuchJob` is raised for an unknown one.

        Its task is removed unless other jobs wait for it. A job that has ended is deleted, with
        ``forget`` also one that has not.
        """
        state = await self._run("cancel", name, self._ttl_ms, int(forget))
        if state is None:
            raise _no_such_job()
        return State(state.decode())

    async def sweep(self, position: int, limit: int) -> tuple[int, int, int]:
        """End jobs past their deadline, and find lost jobs, among ``limit`` unfinished jobs.

        The position in their list comes from the last call; it is 0 at first. Returns the next
        position, jobs expired in this call, and jobs lost since the start.
        """
        dead_letter_ms = int(self._settings.dead_letter_seconds * 1000)
        found = await self._run("sweep", self._ttl_ms, dead_letter_ms, position, limit)
        return int(found[0]), int(found[1]), int(found[2])

    async def upload(self, name: str) -> bytes | None:
        """Return the stored image of a job, or None."""
        with translate_redis_errors():
            data: bytes | None = await self.redis.get(self.keys.upload + name)
        return data

    async def workers(self) -> dict[str, Heartbeat]:
        """Return the last heartbeat of every live worker by its name."""
        with translate_redis_errors():
            now = await self.redis.time()
            return parse_heartbeats(await self.redis.hgetall(self.keys.workers), now)

    async def request_reload(self) -> int:
        """Ask every worker to reload its bundles. Returns their new generation."""
        with translate_redis_errors():
            return int(await self.redis.incr(self.keys.generation))

    async def generation(self) -> int:
        """Return the number of reloads that were requested."""
        with translate_redis_errors():
            return int(await self.redis.get(self.keys.generation) or 0)

    async def close(self) -> None:
        """Close every connection."""
        await self.notifier.close()
        await self.redis.aclose()


def _no_such_job() -> NoSuchJob:
    return NoSuchJob("no job of yours has this id, or it has expired")
