"""The worker: take work on lease, fill it batch by batch, finish each piece."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from redis.exceptions import RedisError, ResponseError

from service.batcher import Batcher
from service.consumer import Consumer, Lease
from service.errors import StartError
from service.model_process import ModelDeathError
from service.tracing import batch_span
from service.work import Failure, Fill, Outcome, Result, Work

log = logging.getLogger("captionfill.worker")

_BEAT_SECONDS = 2.0
_RETRY_SECONDS = 1.0
# The pace that a beat tells is that of the last so many pieces of work, more or less.
_PACE_MEMORY = 20


class Model(Protocol):
    """What a worker needs of a model."""

    models: dict[str, str]
    engines: dict[str, str]
    default: str

    def predict(self, works: Sequence[Work]) -> list[Fill | Exception]:
        """Fill every piece of work, or say why not; `ModelDeathError` where it died of it."""

    def close(self) -> None:
        """End it."""


class Worker:
    """One process that fills. ``stop`` lets it finish its batch, hand back the rest, and end."""

    def __init__(self, consumer: Consumer, load: Callable[[], Model], batcher: Batcher) -> None:
        """Load the model.

        Args:
            consumer: the worker's side of the queue.
            load: makes a model: at the start, after its death, and at each reload.
            batcher: the policy.

        Raises:
            StartError: the model cannot be loaded.
        """
        self._consumer = consumer
        self._load = load
        self._model = load()
        self._fresh: tuple[Model, int] | None = None
        self._batcher = batcher
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._generation: int | None = None
        self._error: str | None = None
        self._pace = 0.0
        self._reloading: threading.Thread | None = None

    def stop(self) -> None:
        """End after the batch in hand."""
        self._stop.set()

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Work until stopped; wait out a server that is away.

        Args:
            ready: called once, when the first work can be taken.
        """
        keeper = threading.Thread(target=self._keep, name="lease-keeper", daemon=True)
        keeper.start()
        joined = False
        while not self._stop.is_set():
            try:
                if not joined:
                    self._consumer.join()
                    self._consumer.beat(self._facts())
                    joined = True
                    ready()
                    ready = lambda: None  # noqa: E731
                self.step()
            except ResponseError as error:  # NOGROUP: the server lost its data
                joined = False
                self._pause(error)
            except RedisError as error:
                self._pause(error)
        self._ended.set()
        keeper.join()
        self._say_goodbye()
        self._model.close()

    def step(self) -> None:
        """Look for work once, and fill what is there."""
        self._renew_model()
        leases = self._look()
        batches = list(self._batcher.batches(leases))
        for number, batch in enumerate(batches):
            if self._stop.is_set():
                self._consumer.hand_back([one for rest in batches[number:] for one in rest])
                return
            self._fill(batch)

    def _look(self) -> list[Lease]:
        if self._batcher.retake_due():
            retaken = self._consumer.retake()
            self._batcher.retook(len(retaken))
            if retaken:
                return retaken
        leases = self._consumer.take(self._batcher.turns())
        leases = leases or self._consumer.await_work(self._batcher.patience())
        self._batcher.took([lease.lane for lease in leases])
        return leases

    def _fill(self, leases: Sequence[Lease]) -> None:
        start = time.monotonic()
        try:
            with batch_span([trace for lease in leases for trace in lease.traceparents]):
                fills = self._model.predict([lease.work for lease in leases])
        except ModelDeathError as death:
            self._after_death(leases, death)
            return
        seconds = time.monotonic() - start
        images = sum(lease.images for lease in leases)
        self._tell(leases, images, seconds)
        outcomes = [
            self._outcome(lease, fill, seconds, images)
            for lease, fill in zip(leases, fills, strict=True)
        ]
        self._persist(partial(self._consumer.finish, leases, outcomes))
        self._consumer.count_batch(leases, images, seconds)

    def _after_death(self, leases: Sequence[Lease], death: ModelDeathError) -> None:
        """Find out which piece of work the model dies of: each is tried alone, once."""
        log.error("model died", extra={"jobs": len(leases), "reason": str(death)})
        self._revive()
        for lease in leases:
            if self._stop.is_set():
                self._consumer.hand_back([lease])
                continue
            try:
                start = time.monotonic()
                [fill] = self._model.predict([lease.work])
            except ModelDeathError as again:
                reason = f"the model died of it, alone, too: {again}"
                log.exception("dead letter", extra={"work": lease.name})
                self._persist(partial(self._consumer.bury, lease, reason))
                self._revive()
                continue
            outcome = self._outcome(lease, fill, time.monotonic() - start, lease.images)
            self._persist(partial(self._consumer.finish, [lease], [outcome]))

    def _outcome(
        self, lease: Lease, fill: Fill | Exception, seconds: float, images: int
    ) -> Outcome:
        if isinstance(fill, Exception):
            facts = {"work": lease.name, "request_ids": list(lease.request_ids)}
            log.error("work failed", extra={**facts, "reason": str(fill)})
            return Failure("the worker could not fill this picture")
        return Result(fill, lease.queue_ms, round(seconds * 1000, 3), images)

    def _persist(self, store: Callable[[], Any]) -> None:
        """Store what has been made even if the server is away for a while.

        The lease is ours as long as nobody can take it, and nobody can while the server is away.
        """
        while True:
            try:
                store()
            except ResponseError:
                raise
            except RedisError as error:
                if self._stop.is_set():
                    raise
                self._pause(error)
            else:
                return

    def _tell(self, leases: Sequence[Lease], images: int, seconds: float) -> None:
        each = seconds / len(leases)
        self._pace += (each - self._pace) / _PACE_MEMORY if self._pace else each
        log.info(
            "batch",
            extra={
                "images": images,
                "jobs": len(leases),
                "ms": round(seconds * 1000, 3),
                "request_ids": [one for lease in leases for one in lease.request_ids],
            },
        )

    def _revive(self) -> None:
        """Start the model again, however often it takes: without it a worker cannot work."""
        self._model.close()
        while True:
            try:
                self._model = self._load()
            except StartError as error:
                log.error("model does not start", extra={"reason": str(error)})  # noqa: TRY400
                if self._stop.wait(_RETRY_SECONDS):
                    raise
            else:
                return

    def _keep(self) -> None:
        """Renew leases and beat, beside the model. A server that is away is no reason to end."""
        pause = min(_BEAT_SECONDS, self._batcher.lease_seconds / 3)
        while not self._ended.is_set():
            try:
                self._consumer.renew()
                self._follow(self._consumer.beat(self._facts()))
            except RedisError as error:
                log.warning("queue away", extra={"error": type(error).__name__})
            self._ended.wait(pause)

    def _facts(self) -> Mapping[str, Any]:
        return {
            "models": self._model.models,
            "engines": self._model.engines,
            "default": self._model.default,
            "generation": self._generation or 0,
            "pace": self._pace,
            "error": self._error,
        }

    def _follow(self, generation: int) -> None:
        """Load the bundles anew beside the old ones where that was asked for since the start."""
        if self._generation is None:
            self._generation = generation
        busy = self._reloading is not None or self._fresh is not None
        if busy or generation == self._generation:
            return
        self._reloading = threading.Thread(target=self._reload, args=[generation], daemon=True)
        self._reloading.start()

    def _reload(self, generation: int) -> None:
        try:
            self._fresh = (self._load(), generation)
        except StartError as error:  # the old bundles go on serving
            self._error = str(error)
            log.error("reload failed", extra={"reason": str(error)})  # noqa: TRY400
            self._generation = generation
        self._reloading = None

    def _renew_model(self) -> None:
        """Change to newly loaded bundles, between two batches."""
        if self._fresh is not None:
            old = self._model
            self._model, self._generation = self._fresh
            self._fresh, self._error = None, None
            old.close()
            log.info("reloaded", extra={"models": self._model.models})

    def _pause(self, error: RedisError) -> None:
        log.warning("queue away", extra={"error": type(error).__name__})
        self._stop.wait(_RETRY_SECONDS)

    def _say_goodbye(self) -> None:
        try:
            self._consumer.leave()
        except RedisError:
            log.warning("queue away at the end")
