"""The worker's main loop: lease tasks, run inference in batches, store the results."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from redis.exceptions import RedisError

from service.observability import batch_span, describe
from service.queue.consumer import Consumer
from service.queue.task import (
    InferenceResult,
    Lease,
    OutOfMemory,
    TaskFailure,
    TaskResult,
    TaskSuccess,
)
from service.redis.client import is_transient, reason_of
from service.worker.batching import Batcher
from service.worker.maintenance import MaintenanceThread
from service.worker.model_manager import ModelManager
from service.worker.model_process import DeviceError, ModelProcess
from service.worker.redis_retry import RedisRetry

log = logging.getLogger("captionfill.worker")

# The pace is a moving average over about this many batches.
_PACE_BATCHES = 20


class Worker:
    """Runs inference on tasks of the queue, in batches, until it is stopped."""

    def __init__(
        self,
        consumer: Consumer,
        load: Callable[[], ModelProcess],
        batcher: Batcher,
        failures: int = 3,
    ) -> None:
        """Load the model; `ModelManager` explains ``load`` and ``failures``.

        Raises:
            StartError: the model cannot be loaded.
        """
        self._consumer = consumer
        self._manager = ModelManager(load, failures)
        self._batcher = batcher
        self._stop = threading.Event()
        self._has_streams = False
        self._selected: list[str] = []
        self._retry = RedisRetry(consumer, self._stop)
        self._pace = 0.0

    def stop(self) -> None:
        """Stop after the current batch; the rest is released."""
        self._stop.set()

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Run until stopped. An outage of Redis is waited out.

        ``ready`` is called once, when the worker can take tasks.
        """
        maintenance = MaintenanceThread(
            self._consumer, self._heartbeat, self._batcher.lease_seconds, self._retry.report
        )
        maintenance.start()
        is_ready = False
        try:
            while not self._stop.is_set():
                try:
                    self._select_streams()
                    if not is_ready:
                        ready()
                        is_ready = True
                    self.step()
                    self._retry.reset()
                except RedisError as error:
                    # Not transient: most likely the streams are gone with the server's data.
                    self._has_streams = self._has_streams and is_transient(error)
                    self._retry.pause(error)
        finally:
            maintenance.stop()
            self._deregister()
            self._manager.close()

    def step(self) -> None:
        """Fetch tasks once and process them. No lease is held afterwards, whatever happens."""
        if self._manager.refresh():
            self._has_streams = False
        self._select_streams()
        try:
            batches = list(self._batcher.batches(self._fetch()))
            for number, batch in enumerate(batches):
                if self._stop.is_set():
                    self._release([one for rest in batches[number:] for one in rest])
                    return
                self._process(batch, self._isolate_crash)
        finally:
            self._consumer.drop_leases()

    def _heartbeat(self) -> None:
        facts = {**self._manager.facts(), "pace": self._pace}
        self._manager.check_reload(self._consumer.heartbeat(facts))

    def _select_streams(self) -> None:
        """Create the streams of the model's bundles, and read those of healthy ones."""
        if not self._has_streams:
            self._consumer.create_streams(self._manager.models)
            self._heartbeat()
            self._has_streams, self._selected = True, []
        if (healthy := self._manager.healthy()) != self._selected:
            self._consumer.select_models(healthy)
            self._selected = healthy

    def _fetch(self) -> list[Lease]:
        if not self._selected:
            self._stop.wait(self._batcher.poll_timeout())
            return []
        if self._batcher.reclaim_due():
            reclaimed = self._consumer.reclaim()
            self._batcher.record_reclaim(len(reclaimed))
            if reclaimed:
                return reclaimed
        leases = self._consumer.take(self._batcher.read_order())
        leases = leases or self._consumer.poll(self._batcher.poll_timeout())
        self._batcher.record([lease.priority for lease in leases])
        return leases

    def _process(
        self, leases: Sequence[Lease], handle_crash: Callable[[Sequence[Lease], Exception], None]
    ) -> None:
        start = time.monotonic()
        try:
            with batch_span([trace for lease in leases for trace in lease.traceparents]):
                results = self._manager.predict([lease.task for lease in leases])
        except Exception as error:
            handle_crash(leases, error)
            return
        seconds = time.monotonic() - start
        self._log_batch(leases, seconds)
        self._settle(leases, results, seconds)
        self._consumer.count_batch(leases, _images(leases), seconds)

    def _isolate_crash(self, leases: Sequence[Lease], error: Exception) -> None:
        """Process each task of a crashed batch alone, to find the one that crashes the model."""
        reason = describe(error)
        log.error("model process crashed", extra={"jobs": len(leases), "reason": reason})
        self._manager.restart_model()
        for number, lease in enumerate(leases):
            if self._stop.is_set():
                self._release(leases[number:])
                return
            if self._manager.bundle_of(lease.task) in self._manager.healthy():
                self._process([lease], self._handle_second_crash)
            else:
                self._release([lease], reason)

    def _handle_second_crash(self, leases: Sequence[Lease], error: Exception) -> None:
        """Blame the task if the model fills a probe afterwards, else the model.

        After a device error other workers may try the task. Each delivery counts, and the last one
        makes it a dead letter.
        """
        [lease] = leases
        model, reason = self._manager.bundle_of(lease.task), describe(error)
        self._manager.restart_model()
        failure = self._manager.probe(model)
        facts = {"task": lease.task_id, "reason": reason}
        if failure is not None or isinstance(error, DeviceError):
            log.error("device or model failed", extra=facts)
            self._manager.record_failure(failure or reason)
            self._release([lease], reason)
            return
        log.error("task moved to the dead letters", extra=facts)
        letter = f"model process crashed twice on this task: {error}"
        self._retry.call(partial(self._consumer.dead_letter, lease, letter))

    def _settle(
        self,
        leases: Sequence[Lease],
        results: Sequence[InferenceResult | Exception],
        seconds: float,
    ) -> None:
        """Store results. Tasks of a bundle that failed are released to other workers."""
        images = _images(leases)
        failed = self._failed_bundles(leases, results)
        done = [
            (lease, self._task_result(lease, result, seconds, images))
            for lease, result in zip(leases, results, strict=True)
            if self._manager.bundle_of(lease.task) not in failed
        ]
        if done:
            finished, outcomes = zip(*done, strict=True)
            self._retry.call(partial(self._consumer.finish, finished, outcomes))
        for model, reason in failed.items():
            self._release([x for x in leases if self._manager.bundle_of(x.task) == model], reason)

    def _failed_bundles(
        self, leases: Sequence[Lease], results: Sequence[InferenceResult | Exception]
    ) -> Mapping[str, str]:
        """Return bundles that failed on all their tasks and on a probe, each with the reason."""
        by_bundle: dict[str, list[InferenceResult | Exception]] = {}
        for lease, result in zip(leases, results, strict=True):
            by_bundle.setdefault(self._manager.bundle_of(lease.task), []).append(result)
        failed = {}
        for model, own in by_bundle.items():
            if not all(isinstance(result, Exception) for result in own):
                self._manager.record_success(model)
            elif (reason := self._manager.probe(model)) is not None:
                log.error("bundle failed", extra={"model": model, "reason": reason})
                self._manager.record_failure(reason, model)
                failed[model] = reason
        return failed

    def _task_result(
        self, lease: Lease, result: InferenceResult | Exception, seconds: float, images: int
    ) -> TaskResult:
        if not isinstance(result, Exception):
            return TaskSuccess(result, lease.queue_ms, round(seconds * 1000, 3), images)
        facts = {"task": lease.task_id, "request_ids": list(lease.request_ids)}
        log.error("task failed", extra={**facts, "reason": str(result)})
        if isinstance(result, OutOfMemory):
            return TaskFailure("the worker's memory does not hold even one image of this picture")
        return TaskFailure("the worker could not fill this picture")

    def _release(self, leases: Sequence[Lease], reason: str = "") -> None:
        self._retry.call(partial(self._consumer.release, leases, reason))

    def _log_batch(self, leases: Sequence[Lease], seconds: float) -> None:
        each = seconds / len(leases)
        self._pace += (each - self._pace) / _PACE_BATCHES if self._pace else each
        log.info(
            "batch",
            extra={
                "images": _images(leases),
                "jobs": len(leases),
                "ms": round(seconds * 1000, 3),
                "request_ids": [one for lease in leases for one in lease.request_ids],
            },
        )

    def _deregister(self) -> None:
        try:
            self._consumer.deregister()
        except RedisError as error:
            log.warning("worker not deregistered", extra={"reason": reason_of(error)})


def _images(leases: Sequence[Lease]) -> int:
    return sum(lease.images for lease in leases)
