"""Each Redis call of a worker fails in turn, for less than a lease: no task is lost or stuck."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.exceptions import ReadOnlyError, ResponseError

from service.queue.consumer import Consumer
from service.queue.jobs import Job, Priority
from service.queue.task import WINDOW_BYTES, InferenceTask, TaskSuccess
from service.worker.batching import Batcher
from service.worker.worker import Worker
from tests.helpers.service.queueing import wait_for, with_queue
from tests.helpers.service.redis_faults import FAULTS, FaultyRedis
from tests.helpers.service.stub_model import StubModel, solid_fills

pytestmark = pytest.mark.server

SEEDS = {1: Priority.INTERACTIVE, 2: Priority.INTERACTIVE, 3: Priority.BATCH}


def cycle(settings, namespace, failing=range(0), fault="connection", kind=Consumer, patience=60):
    """One worker does one task in each lane and one more, while some calls fail; what is wrong."""
    settings = settings.model_copy(update={"namespace": f"{settings.namespace}-{namespace}"})
    client = FaultyRedis.make(settings.queue_url, failing, fault)
    consumer = kind(settings, client)
    policy = Batcher(8, settings.lease_seconds, time.monotonic)
    worker = Worker(consumer, StubModel, policy)
    jobs = [Job(InferenceTask(bytes(WINDOW_BYTES), "a cat", seed), seconds=90, priority=priority)
            for seed, priority in SEEDS.items()]  # fmt: skip

    async def run(queue):
        for job in jobs:
            await queue.put(job)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            outcomes = [await wait_for(queue, job, patience) for job in jobs]
        finally:
            worker.stop()
            thread.join()
        stored = [await queue.redis.hget(queue.keys.task + job.task.id, "stored") for job in jobs]
        left = [name async for name in queue.redis.scan_iter(f"{queue.keys.prefix}jobs*")
                if await queue.redis.xlen(name)]  # fmt: skip
        return outcomes, stored, left

    try:
        outcomes, stored, left = with_queue(settings, run)
    except Exception as error:
        return [f"{type(error).__name__}: {error}"], client.calls
    faults = []
    for job, one in zip(jobs, outcomes, strict=True):
        if not isinstance(one, TaskSuccess) or one.fill.fills != solid_fills([job.task.seed]):
            faults.append(f"wrong outcome {one}")
    if stored != [b"1"] * len(jobs):
        faults.append(f"stored {stored}")
    if left or consumer._held:
        faults.append(f"left {left}, held {consumer._held}")
    return faults, client.calls


def problems(settings, kind=Consumer, faults=tuple(FAULTS), length=1, patience=60):
    """What goes wrong in any cycle in which `length` calls in a row fail, and how many there are.

    The calls fail within less than a lease.
    """
    _, calls = cycle(settings, "whole", kind=kind)
    cases = [(fault, k) for fault in faults for k in range(len(calls))]

    def one(case):
        fault, k = case
        found, _ = cycle(settings, f"{fault}-{k}", range(k, k + length), fault, kind, patience)
        return [f"{fault} at call {k}: {each}" for each in found]

    with ThreadPoolExecutor(16) as pool:
        return [each for found in pool.map(one, cases) for each in found], len(cases)


@pytest.mark.slow
def test_no_failed_call_loses_or_strands_a_task(settings):
    found, cases = problems(settings)
    assert found == [] and cases > 40


@pytest.mark.slow
def test_nor_do_several_failed_calls_in_a_row(settings):
    found, cases = problems(settings, faults=["connection-after", "noreplicas"], length=4)
    assert found == [] and cases > 10


class Leaky(Consumer):
    """Keeps what it could not finish among its leases, so that it is renewed for ever."""

    def drop_leases(self):
        pass

    def finish(self, leases, outcomes):
        try:
            return super().finish(leases, outcomes)
        except ReadOnlyError as error:  # as it was taken for a loss of data, and not tried again
            raise ResponseError("WRONGTYPE") from error


@pytest.mark.slow
def test_the_check_sees_a_worker_that_leaks_leases(settings):
    # Leases that do not run out because the machine was busy for a moment.
    settings = settings.model_copy(update={"lease_seconds": 2})
    found, _ = problems(settings, Leaky, ["readonly"], patience=8)
    assert any("AnswerTimeout" in one for one in found)


def test_the_same_refusal_is_logged_once(settings, caplog):
    client = FaultyRedis.make(settings.queue_url, range(1000), "readonly")
    worker = Worker(Consumer(settings, client), StubModel, Batcher(8, 0.3, time.monotonic))
    thread = threading.Thread(target=worker.run)
    thread.start()
    deadline = time.monotonic() + 60
    while len(client.calls) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    worker.stop()
    thread.join()
    away = [record for record in caplog.records if record.getMessage() == "Redis unavailable"]
    assert len(client.calls) >= 5 and len(away) == 1
