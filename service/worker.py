"""The worker: take jobs on lease, fill them batch by batch, finish each one."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from redis.exceptions import RedisError, ResponseError

from service.batcher import Batcher
from service.consumer import Consumer, Lease
from service.jobs import Failure, Job, Outcome, Result

log = logging.getLogger("captionfill.worker")

_BEAT_SECONDS = 2.0
_RETRY_SECONDS = 1.0


class Fills(Protocol):
    """What a worker needs of a predictor."""

    digest: str

    def predict(self, jobs: Sequence[Job]) -> list[bytes | Exception]:
        """Fill every job, or say why not."""


class Worker:
    """One process that fills. ``stop`` lets it finish its batch and end."""

    def __init__(self, consumer: Consumer, predictor: Fills, batcher: Batcher) -> None:
        self._consumer = consumer
        self._predictor = predictor
        self._batcher = batcher
        self._stop = threading.Event()
        self._ended = threading.Event()

    def stop(self) -> None:
        """End after the batches in hand."""
        self._stop.set()

    def run(self) -> None:
        """Work until stopped; wait out a server that is away."""
        keeper = threading.Thread(target=self._keep, name="lease-keeper", daemon=True)
        keeper.start()
        joined = False
        while not self._stop.is_set():
            try:
                if not joined:
                    self._consumer.join()
                    joined = True
                self.step()
            except ResponseError as error:  # NOGROUP: the server lost its data
                joined = False
                self._pause(error)
            except RedisError as error:
                self._pause(error)
        self._ended.set()
        keeper.join()
        self._say_goodbye()

    def step(self) -> None:
        """Look for jobs once, and fill what is there."""
        leases = []
        if self._batcher.retake_due():
            leases = self._consumer.retake()
            self._batcher.retook(len(leases))
        leases = leases or self._consumer.take(self._batcher.limit, self._batcher.patience())
        by_id = {lease.job.id: lease for lease in leases}
        for batch in self._batcher.batches([lease.job for lease in leases]):
            self._fill([by_id[job.id] for job in batch])

    def _fill(self, leases: Sequence[Lease]) -> None:
        start = time.monotonic()
        fills = self._predictor.predict([lease.job for lease in leases])
        milliseconds = round((time.monotonic() - start) * 1000, 3)
        size = sum(lease.job.count for lease in leases)
        log.info("batch", extra={"images": size, "jobs": len(leases), "ms": milliseconds})
        for lease, fill in zip(leases, fills, strict=True):
            outcome: Outcome
            if isinstance(fill, Exception):
                log.error("job failed", exc_info=fill, extra={"job": lease.job.id})
                outcome = Failure("the worker could not fill this picture")
            else:
                outcome = Result(fill, self._predictor.digest, lease.queue_ms, milliseconds, size)
            self._consumer.finish(lease, outcome)

    def _keep(self) -> None:
        """Renew leases and beat, beside the model. A server that is away is no reason to end."""
        pause = min(_BEAT_SECONDS, self._batcher.lease_seconds / 3)
        while not self._ended.is_set():
            try:
                self._consumer.beat(self._predictor.digest)
                self._consumer.renew()
            except RedisError as error:
                log.warning("queue away", extra={"error": type(error).__name__})
            self._ended.wait(pause)

    def _pause(self, error: RedisError) -> None:
        log.warning("queue away", extra={"error": type(error).__name__})
        self._stop.wait(_RETRY_SECONDS)

    def _say_goodbye(self) -> None:
        try:
            self._consumer.leave()
        except RedisError as error:
            log.warning("queue away", extra={"error": type(error).__name__})
