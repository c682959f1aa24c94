"""The queue as the API sees it: put a job in, wait for what becomes of it, take it back."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import redis.asyncio
from redis.exceptions import OutOfMemoryError, RedisError

from service.config.settings import Settings
from service.errors.capacity import Draining, QueueFull, QueueUnavailable, QuotaExceeded
from service.errors.jobs import AnswerTimeout, JobGone, JobLost, NoSuchJob
from service.errors.requests import KeyReused
from service.queue.job_ids import age_of
from service.queue.jobs import Job, Priority, State, Status
from service.queue.notifications import CompletionNotifier
from service.queue.redis_keys import ALIVE_MS, CONNECTION, GROUP, RedisKeys
from service.queue.scripts import script
from service.queue.task import TaskFailure, TaskResult, TaskSuccess, model_version
from service.redis.client import AsyncFailoverClient
from service.redis.errors import RedisErrorLog

# How long to trust that a bell will ring before looking.
_LOOK_SECONDS = 2.0
_RETRY_SECONDS = 0.5
_errors = RedisErrorLog()


@dataclass(frozen=True)
class IdempotencyKey:
    """A client's name for a request: ``name`` is unique to the caller, the payload is hashed."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class EnqueueResult:
    """An accepted job, which may be an older one; ``answered`` tells that its outcome is there."""

    job: str
    is_new: bool = True
    answered: bool = False


@dataclass(frozen=True)
class Heartbeat:
    """What a live worker says of itself.

    Attributes:
        models: digest of each of its bundles by name.
        default: the bundle for work that names none.
        generation: of the bundles it has.
        error: why a reload failed.
        engines: what computes each bundle, by name.
        tried: the last generation it has tried to load, with success or not.
        unhealthy: bundles that take no work just now, each with the reason.
    """

    models: Mapping[str, str]
    default: str
    generation: int
    error: str | None = None
    engines: Mapping[str, str] = field(default_factory=dict)
    tried: int = 0
    unhealthy: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """A heartbeat as it is kept; an older version's worker does not tell all of it."""
        names = ("models", "default", "generation", "error", "engines", "tried", "unhealthy")
        return cls(**{name: facts[name] for name in names if name in facts})

    @property
    def is_healthy(self) -> bool:
        """Whether any of its bundles takes work."""
        return any(name not in self.unhealthy for name in self.models)

    def model_version(self, name: str) -> str:
        """The digest and the engine of a bundle it has."""
        return model_version(self.models[name], self.engines.get(name, ""))


@dataclass(frozen=True)
class Event:
    """A step in a job's life; ``id`` is where to go on from."""

    id: str
    state: State


class Queue:
    """The API's side of the queue. Every method raises `QueueUnavailable` without a server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.keys = RedisKeys(settings.namespace)
        # Every step is short, so that few connections serve many; who finds none waits for one.
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            settings.queue_url, max_connections=64, timeout=5, **CONNECTION
        )
        self.redis: Any = AsyncFailoverClient.from_pool(pool)
        self.notifier = CompletionNotifier(self.redis, self.keys.notifications)
        self._keep_ms = int(settings.result_seconds * 1000)
        self._keep_dead_ms = int(settings.dead_letter_seconds * 1000)
        names = ("enqueue", "status", "cancel", "has_room", "sweep")
        self._enqueue, self._status, self._cancel, self._has_room, self._sweep = (
            self.redis.register_script(script(f"jobs/{name}")) for name in names
        )

    async def check_room(self, priority: Priority = Priority.INTERACTIVE) -> None:
        """Tell a full queue before anything costly is done; `put` alone can promise a place.

        Raises:
            QueueFull: as many jobs as are taken are waiting.
        """
        limits = self._settings
        most = limits.batch_queue_limit if priority == Priority.BATCH else limits.queue_limit
        with translate_redis_errors():
            has_room = await self._has_room(
                args=[self.keys.prefix, GROUP, str(priority), most, self._keep_ms]
            )
        if not has_room:
            raise QueueFull("as many jobs as are taken are waiting")

    async def put(
        self, job: Job, upload: bytes | None = None, idempotency: IdempotencyKey | None = None
    ) -> EnqueueResult:
        """Queue a job, in one step with everything that could speak against it.

        Args:
            job: a new one.
            upload: the picture, where the client will come back for the result.
            idempotency: the client's name for the request; a known one gives the older job.

        Raises:
            QueueFull, Draining: nothing was queued.
            QuotaExceeded: the queue keeps too many bytes for the job's account; nothing was queued.
            KeyReused: the name was used for another payload.
        """
        named = idempotency or IdempotencyKey("", "")
        job_parts, work_parts = _flat(job.fields()), _flat(job.task.fields())
        limits = self._settings
        arguments = [
            *(self.keys.prefix, GROUP, job.id, job.task.id, str(job.priority)),
            limits.batch_queue_limit if job.priority == Priority.BATCH else limits.queue_limit,
            *(int(job.seconds * 1000), self._keep_ms),
            *(named.name, named.fingerprint, int(limits.idempotency_seconds * 1000)),
            *(upload or b"", self._storage(job, upload)),
            *(len(job_parts), *job_parts, *work_parts),
        ]
        with translate_redis_errors():
            answer, name = await self._enqueue(args=arguments)
        match answer:
            case b"full":
                raise QueueFull("as many jobs as are taken are waiting")
            case b"memory":
                raise QueueFull(
                    "the memory for background jobs is full; a request without respond-async and "
                    "webhook is still taken"
                )
            case b"quota":
                raise QuotaExceeded(
                    f"at most {limits.caller_bytes:,} bytes are kept for the background jobs of "
                    "one caller: fetch results and DELETE /jobs/{job}, or wait until they expire"
                )
            case b"draining":
                raise Draining("no new jobs are taken just now")
            case b"mismatch":
                raise KeyReused("this Idempotency-Key came with another request before")
            case b"same":
                return EnqueueResult(name.decode(), is_new=False)
        return EnqueueResult(name.decode(), answered=answer in (b"done", b"failed"))

    async def status(self, name: str, owner: str = "local") -> Status:
        """What is known of a job.

        Raises:
            NoSuchJob: it is not known.
            JobLost: the owner's job was accepted, and Redis has lost it.
        """
        with translate_redis_errors():
            found = await self._status(args=[self.keys.prefix, GROUP, name, self._keep_ms])
        if not isinstance(found, list):
            if found == b"lost" or (found is None and self.is_lost(name, owner)):
                self._check_lost(name, owner)
            raise NoSuchJob("no job of yours has this id, or it has expired")
        fields, state, ahead, pace = found
        pairs = dict(zip(fields[::2], fields[1::2], strict=True))
        return Status.from_fields(name, pairs, state.decode(), ahead, float(pace))

    def is_lost(self, name: str, owner: str) -> bool:
        """Whether a job that Redis does not know is too young to have been forgotten.

        A job that its client did not delete is kept for `result_seconds` at least.
        """
        age = age_of(name, self._settings.namespace, owner)
        return age is not None and age < self._settings.result_seconds

    def _check_lost(self, name: str, owner: str) -> None:
        if age_of(name, self._settings.namespace, owner) is not None:
            raise JobLost("Redis has lost this job; send the request again")

    async def outcome(self, status: Status) -> TaskResult | None:
        """What came of a job, or None while it waits or runs.

        Raises:
            JobGone: it was cancelled, or its time or its result's is over.
            JobLost: Redis has lost its records.
        """
        if status.state == State.FAILED:
            return TaskFailure(status.reason)
        if status.state == State.LOST:
            raise JobLost(f"{status.reason}; send the request again")
        if status.state in (State.CANCELLED, State.EXPIRED):
            why = f": {status.reason}" if status.reason else ""
            raise JobGone(f"the job is {status.state}{why}")
        if status.state != State.DONE:
            return None
        with translate_redis_errors():
            fields = await self.redis.hgetall(self.keys.task(status.task_id))
        if b"fills" not in fields:
            raise JobGone("the result is no longer kept")
        return TaskSuccess.from_fields(fields)

    async def wait(
        self, name: str, seconds: float, completion: asyncio.Event, owner: str = "local"
    ) -> TaskResult:
        """What becomes of a job, as soon as it is known; `AnswerTimeout` past the deadline.

        The job has been accepted, so a server that is away for a while is waited for.

        Args:
            name: of the job.
            seconds: how long to wait.
            completion: set when the task ends; subscribed for since before the job was put in.
            owner: of the job.

        Raises:
            AnswerTimeout, JobGone, JobLost.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                    await completion.wait()
                completion.clear()
            except TimeoutError:
                pass
            try:
                status = await self.status(name, owner)
                if status.state == State.EXPIRED:
                    break
                outcome = await self.outcome(status)
            except QueueUnavailable:
                await asyncio.sleep(min(left, _RETRY_SECONDS))
                continue
            except NoSuchJob as error:  # deleted meanwhile
                raise JobGone("the job is no longer known") from error
            if outcome is not None:
                return outcome
        raise AnswerTimeout(f"no worker finished the job in {seconds:g} s")

    async def cancel(self, name: str, *, forget: bool = False) -> State:
        """Take a job back: work that nobody else claims is dropped before the model sees it.

        Args:
            name: of the job. One that has come to its end is forgotten.
            forget: leave no trace of it in any case.

        Returns:
            The state it was in.

        Raises:
            NoSuchJob: it is not known.
        """
        with translate_redis_errors():
            state = await self._cancel(
                args=[self.keys.prefix, GROUP, name, self._keep_ms, int(forget)]
            )
        if state is None:
            raise NoSuchJob("no job of yours has this id, or it has expired")
        return State(state.decode())

    async def sweep(self, place: int, most: int) -> tuple[int, int, int]:
        """End jobs whose deadline is over, and find lost ones among those that have not ended.

        Args:
            place: where to go on in the list of unfinished jobs; 0 at first.
            most: how many of them to check.

        Returns:
            The next place, how many jobs expired in this call, how many were lost since the start.
        """
        limits = (self._keep_ms, self._keep_dead_ms, place, most)
        with translate_redis_errors():
            found = await self._sweep(args=[self.keys.prefix, GROUP, *limits])
        return int(found[0]), int(found[1]), int(found[2])

    async def upload(self, name: str) -> bytes | None:
        """The picture kept for a job, or None."""
        with translate_redis_errors():
            kept: bytes | None = await self.redis.get(self.keys.upload(name))
        return kept

    async def events_since(self, name: str, after: str = "0-0") -> list[Event]:
        """The steps of a job's life after an event, as far as there are any yet.

        Raises:
            QueueUnavailable: the server went away.
        """
        with translate_redis_errors():
            found = await self.redis.xrange(self.keys.events(name), f"({after}", "+")
        return [Event(entry.decode(), State(fields[b"state"].decode())) for entry, fields in found]

    async def events(self, name: str, task: str, after: str = "0-0") -> AsyncIterator[Event | None]:
        """The steps of a job's life after an event, up to its end; None now and then in between.

        Raises:
            QueueUnavailable: the server went away; the client comes back with its last event.
        """
        with self.notifier.subscribe(task) as completion:
            while True:
                for event in await self.events_since(name, after):
                    after = event.id
                    yield event
                    if event.state.is_end:
                        return
                yield None
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await completion.wait()
                    completion.clear()
                except TimeoutError:
                    pass

    async def workers(self) -> dict[str, Heartbeat]:
        """What every live worker said last, by the worker's name."""
        with translate_redis_errors():
            seconds, microseconds = await self.redis.time()
            heartbeats = await self.redis.hgetall(self.keys.workers)
        now = seconds * 1000 + microseconds // 1000
        parsed = {name.decode(): json.loads(heartbeat) for name, heartbeat in heartbeats.items()}
        return {
            name: Heartbeat.from_json(heartbeat)
            for name, heartbeat in parsed.items()
            if now - heartbeat["at"] < ALIVE_MS
        }

    async def request_reload(self) -> int:
        """Ask every worker to read its bundles anew; return the generation they will be."""
        with translate_redis_errors():
            return int(await self.redis.incr(self.keys.generation))

    async def generation(self) -> int:
        """How often a reload was asked for."""
        with translate_redis_errors():
            return int(await self.redis.get(self.keys.generation) or 0)

    def _storage(self, job: Job, upload: bytes | None) -> str:
        limits = self._settings
        size = job.stored_bytes + len(upload or b"") if job.background else 0
        return json.dumps(
            {
                "account": job.account,
                "bytes": size,
                "most": limits.caller_bytes,
                "reserve": limits.reserved_memory,
                "total": limits.background_bytes,
            }
        )

    async def close(self) -> None:
        """Close every connection."""
        await self.notifier.close()
        await self.redis.aclose()


@contextmanager
def translate_redis_errors() -> Iterator[None]:
    """Turn what redis-py raises into the service's own errors."""
    try:
        yield
    except (RedisError, OSError) as error:
        _errors.warn(error)
        if isinstance(error, OutOfMemoryError) or "OOM" in str(
            error
        ):  # out of memory, said from inside a script
            raise QueueFull("the queue's memory is full") from error
        raise QueueUnavailable("the queue does not answer") from error


def _flat(fields: Mapping[str, Any]) -> Sequence[Any]:
    return [part for pair in fields.items() for part in pair]
