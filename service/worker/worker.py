"""The worker: take work on lease, fill it batch by batch, finish each piece."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from redis.exceptions import ReadOnlyError, RedisError

from service.observability.logs import describe
from service.observability.tracing import batch_span
from service.queue.consumer import Consumer, Lease
from service.queue.task import InferenceResult, OutOfMemory, TaskFailure, TaskResult, TaskSuccess
from service.redis.errors import RedisErrorLog, is_transient, reason_of
from service.worker.batching import Batcher
from service.worker.model_manager import ModelManager, TaskModel
from service.worker.model_process import DeviceError

log = logging.getLogger("captionfill.worker")

_BEAT_SECONDS = 2.0
_SWEEP_SECONDS = 5.0
# The pause after an error of Redis: at first, and at the most.
_FIRST_RETRY_SECONDS, _RETRY_SECONDS = 0.05, 1.0
# An outcome that could not be stored for so long is dropped, and its work done again.
_STORE_SECONDS = 60.0
# The pace that a beat tells is that of the last so many pieces of work, more or less.
_PACE_MEMORY = 20


class Worker:
    """One process that fills. ``stop`` lets it finish its batch, hand back the rest, and end."""

    def __init__(
        self, consumer: Consumer, load: Callable[[], TaskModel], batcher: Batcher, failures: int = 3
    ) -> None:
        """Load the model.

        Args:
            consumer: the worker's side of the queue.
            load: makes a model: at the start, after its death, and at each reload.
            batcher: the policy.
            failures: of a bundle in a row, after which it gets no more work until a probe.

        Raises:
            StartError: the model cannot be loaded.
        """
        self._consumer = consumer
        self._guard = ModelManager(load, failures)
        self._batcher = batcher
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._joined = False
        self._served: list[str] = []
        self._errors = 0
        self._error_log = RedisErrorLog()
        self._pace = 0.0

    def stop(self) -> None:
        """End after the batch in hand."""
        self._stop.set()

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Work until stopped; wait out a server that is away or refuses to write.

        Args:
            ready: called once, when the first work can be taken.
        """
        keeper = threading.Thread(target=self._keep, name="lease-keeper", daemon=True)
        keeper.start()
        is_told = False
        try:
            while not self._stop.is_set():
                try:
                    self._join()
                    if not is_told:
                        ready()
                        is_told = True
                    self.step()
                    self._errors = 0
                except RedisError as error:
                    # Not transient: the streams are gone with the server's data, most likely.
                    self._joined = self._joined and is_transient(error)
                    self._pause(error)
        finally:
            self._ended.set()
            keeper.join()
            self._say_goodbye()
            self._guard.close()

    def step(self) -> None:
        """Look for work once, and fill what is there. Afterwards no lease is held, in any case."""
        if self._guard.refresh():
            self._joined = False
        self._join()
        try:
            leases = self._look()
            batches = list(self._batcher.batches(leases))
            for number, batch in enumerate(batches):
                if self._stop.is_set():
                    self._hand_back([one for rest in batches[number:] for one in rest])
                    return
                self._fill(batch)
        finally:
            self._consumer.drop_leases()

    def _join(self) -> None:
        """Have the streams of the model's bundles, and read those that take work."""
        if not self._joined:
            self._consumer.join(self._guard.models)
            self._guard.follow(self._consumer.heartbeat(self._facts()))
            self._joined, self._served = True, []
        if (served := self._guard.served()) != self._served:
            self._consumer.serve(served)
            self._served = served

    def _look(self) -> list[Lease]:
        if not self._served:
            self._stop.wait(self._batcher.poll_timeout())
            return []
        if self._batcher.reclaim_due():
            retaken = self._consumer.reclaim()
            self._batcher.record_reclaim(len(retaken))
            if retaken:
                return retaken
        leases = self._consumer.take(self._batcher.read_order())
        leases = leases or self._consumer.poll(self._batcher.poll_timeout())
        self._batcher.record([lease.priority for lease in leases])
        return leases

    def _fill(self, leases: Sequence[Lease]) -> None:
        start = time.monotonic()
        try:
            with batch_span([trace for lease in leases for trace in lease.traceparents]):
                fills = self._guard.predict([lease.task for lease in leases])
        except Exception as error:
            self._after_death(leases, error)
            return
        seconds = time.monotonic() - start
        self._tell(leases, seconds)
        self._settle(leases, fills, seconds)
        self._consumer.count_batch(leases, _images(leases), seconds)

    def _after_death(self, leases: Sequence[Lease], death: Exception) -> None:
        """Find out which piece of work the model dies of: each is tried alone, once."""
        reason = describe(death)
        log.error("model died", extra={"jobs": len(leases), "reason": reason})
        self._guard.restart()
        for number, lease in enumerate(leases):
            if self._stop.is_set():
                self._hand_back(leases[number:])
                return
            if self._guard.name_of(lease.task) in self._guard.served():
                self._fill_alone(lease)
            else:
                self._hand_back([lease], reason)

    def _fill_alone(self, lease: Lease) -> None:
        start = time.monotonic()
        try:
            fills = self._guard.predict([lease.task])
        except Exception as error:
            self._after_death_alone(lease, error)
        else:
            self._settle([lease], fills, time.monotonic() - start)

    def _after_death_alone(self, lease: Lease, death: Exception) -> None:
        """Blame the work if the model fills a probe after it, else the model.

        After an error of the device others may try the work: each delivery counts, and the last
        makes it a dead letter.
        """
        model, reason = self._guard.name_of(lease.task), describe(death)
        self._guard.restart()
        sickness = self._guard.probe(model)
        if sickness is not None or isinstance(death, DeviceError):
            log.error("device or model failed", extra={"work": lease.task_id, "reason": reason})
            self._guard.failed(sickness or reason)
            self._hand_back([lease], reason)
            return
        log.error("dead letter", extra={"work": lease.task_id, "reason": reason})
        told = f"the model died of it, alone, too: {death}"
        self._persist(partial(self._consumer.dead_letter, lease, told))

    def _settle(
        self, leases: Sequence[Lease], fills: Sequence[InferenceResult | Exception], seconds: float
    ) -> None:
        """Store what was made; what a sick bundle failed at is left to others."""
        images = _images(leases)
        sick = self._sick(leases, fills)
        done = [
            (lease, self._outcome(lease, fill, seconds, images))
            for lease, fill in zip(leases, fills, strict=True)
            if self._guard.name_of(lease.task) not in sick
        ]
        if done:
            finished, outcomes = zip(*done, strict=True)
            self._persist(partial(self._consumer.finish, finished, outcomes))
        for model, reason in sick.items():
            self._hand_back([x for x in leases if self._guard.name_of(x.task) == model], reason)

    def _sick(
        self, leases: Sequence[Lease], fills: Sequence[InferenceResult | Exception]
    ) -> Mapping[str, str]:
        """Bundles that failed at all of their work and at a probe, each with the reason."""
        sick = {}
        for model in {self._guard.name_of(lease.task) for lease in leases}:
            own = [
                fill
                for lease, fill in zip(leases, fills, strict=True)
                if self._guard.name_of(lease.task) == model
            ]
            if not all(isinstance(fill, Exception) for fill in own):
                self._guard.succeeded(model)
            elif (reason := self._guard.probe(model)) is not None:
                log.error("bundle failed", extra={"model": model, "reason": reason})
                self._guard.failed(reason, model)
                sick[model] = reason
        return sick

    def _outcome(
        self, lease: Lease, fill: InferenceResult | Exception, seconds: float, images: int
    ) -> TaskResult:
        if isinstance(fill, Exception):
            facts = {"work": lease.task_id, "request_ids": list(lease.request_ids)}
            log.error("work failed", extra={**facts, "reason": str(fill)})
            if isinstance(fill, OutOfMemory):
                return TaskFailure(
                    "the worker's memory does not hold even one image of this picture"
                )
            return TaskFailure("the worker could not fill this picture")
        return TaskSuccess(fill, lease.queue_ms, round(seconds * 1000, 3), images)

    def _hand_back(self, leases: Sequence[Lease], reason: str = "") -> None:
        self._persist(partial(self._consumer.release, leases, reason))

    def _persist(self, store: Callable[[], Any]) -> None:
        """Tell Redis what has become of work, even if it is away or refuses to write for a while.

        Raises:
            RedisError: it does so for too long, or does not accept it at all. The leases run out.
        """
        deadline = time.monotonic() + _STORE_SECONDS
        while True:
            try:
                store()
            except RedisError as error:
                is_late = self._stop.is_set() or time.monotonic() > deadline
                if is_late or not is_transient(error):
                    raise
                self._pause(error)
            else:
                return

    def _tell(self, leases: Sequence[Lease], seconds: float) -> None:
        each = seconds / len(leases)
        self._pace += (each - self._pace) / _PACE_MEMORY if self._pace else each
        log.info(
            "batch",
            extra={
                "images": _images(leases),
                "jobs": len(leases),
                "ms": round(seconds * 1000, 3),
                "request_ids": [one for lease in leases for one in lease.request_ids],
            },
        )

    def _keep(self) -> None:
        """Renew leases, beat and sweep, beside the model. No error ends it."""
        pause = min(_BEAT_SECONDS, self._batcher.lease_seconds / 3)
        next_sweep = 0.0
        while not self._ended.is_set():
            self._attempt(self._consumer.renew)
            self._attempt(lambda: self._guard.follow(self._consumer.heartbeat(self._facts())))
            if time.monotonic() >= next_sweep:
                self._attempt(self._consumer.sweep)
                next_sweep = time.monotonic() + _SWEEP_SECONDS
            self._ended.wait(pause)

    def _attempt(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except RedisError as error:
            self._error_log.warn(error)
        except Exception:
            log.exception("the keeper of leases failed")

    def _facts(self) -> Mapping[str, Any]:
        return {**self._guard.facts(), "pace": self._pace}

    def _pause(self, error: RedisError) -> None:
        self._error_log.warn(error)
        if isinstance(error, ReadOnlyError):
            self._consumer.reconnect()
        pause = min(_FIRST_RETRY_SECONDS * 2**self._errors, _RETRY_SECONDS)
        self._errors = min(self._errors + 1, 10)
        self._stop.wait(pause)

    def _say_goodbye(self) -> None:
        try:
            self._consumer.deregister()
        except RedisError as error:
            log.warning("queue away at the end", extra={"reason": reason_of(error)})


def _images(leases: Sequence[Lease]) -> int:
    return sum(lease.images for lease in leases)
