import asyncio
import threading
import time

import pytest

from service.batcher import Batcher
from service.consumer import Consumer
from service.jobs import Failure, Job, Result
from service.queue import Keys, Queue
from service.worker import Worker

pytestmark = pytest.mark.server


def outcomes(settings, *seeds):
    """Queue one job a seed, all at once, and wait for every outcome."""

    async def run():
        queue = Queue(settings)
        jobs = [Job.new(bytes(12288), "a cat", seed) for seed in seeds]
        for job in jobs:
            await queue.put(job)
        done = await asyncio.gather(*(queue.wait(job.id) for job in jobs))
        await queue.close()
        return done

    return asyncio.run(run())


class Slow:
    """A predictor that takes four leases for a batch, and notes the batches."""

    digest = "sha256:slow"

    def __init__(self, settings):
        self.seconds, self.batches = 4 * settings.lease_seconds, []

    def predict(self, jobs):
        self.batches.append(len(jobs))
        time.sleep(self.seconds)
        return [bytes(3072)] * len(jobs)


@pytest.fixture
def slow(settings):
    """Two real workers that share one slow predictor."""
    slow = Slow(settings)
    policy = [Batcher(8, settings.lease_seconds, time.monotonic) for _ in range(2)]
    workers = [Worker(Consumer(settings), slow, one) for one in policy]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    yield slow
    for worker in workers:
        worker.stop()
    for thread in threads:
        thread.join()


def test_every_job_gets_its_own_fill(settings, worker):
    results = outcomes(settings, *range(12))
    assert [result.fills[0] for result in results] == list(range(12))


def test_one_bad_job_fails_alone(settings, worker):
    good, bad, other = outcomes(settings, 1, 13, 2)
    assert isinstance(bad, Failure)
    assert isinstance(good, Result) and isinstance(other, Result)


def test_a_batch_longer_than_its_lease_is_not_run_twice(settings, slow):
    assert len(outcomes(settings, 1)) == 1
    assert slow.batches == [1]


def test_a_worker_survives_a_server_that_forgot_everything(settings, worker, server):
    outcomes(settings, 1)
    server.delete(Keys(settings.namespace).stream)
    assert isinstance(outcomes(settings, 2)[0], Result)


def test_a_worker_that_stops_is_no_longer_counted(settings, worker, server):
    outcomes(settings, 1)
    worker.stop()
    deadline = time.monotonic() + 5
    while server.hlen(Keys(settings.namespace).workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.hlen(Keys(settings.namespace).workers) == 0
