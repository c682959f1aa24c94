import threading
import time

import pytest

from captionfill.errors import StartError
from service.queue.jobs import Priority, State
from service.queue.redis_keys import RedisKeys
from service.queue.task import TaskFailure, TaskSuccess
from service.worker.model_process import ModelCrashedError
from tests.helpers.service.queueing import new, outcome, outcomes, put, state, with_queue
from tests.helpers.service.stub_model import CRASHING_SEED, StubModel
from tests.helpers.waiting import SECONDS, eventually

pytestmark = pytest.mark.server


class Slow(StubModel):
    """Takes two and a half leases for a batch, and notes the batches."""

    def __init__(self, settings):
        super().__init__()
        self.pause, self.batches = 2.5 * settings.lease_seconds, []

    def predict(self, tasks):
        self.batches.append(len(tasks))
        time.sleep(self.pause)
        return super().predict(tasks)


def test_every_job_gets_its_own_fill(settings, worker):
    seeds = [*range(12), 14]
    assert [result.fill.fills[0] for result in outcomes(settings, *seeds)] == [*range(12), 14]


def test_batch_work_is_done_too(settings, worker):
    assert all(
        isinstance(one, TaskSuccess) for one in outcomes(settings, 1, 2, priority=Priority.BATCH)
    )


def test_interactive_stream_does_not_starve_batch_work(settings, hire):
    [patient] = put(settings, *new(priority=Priority.BATCH))
    jobs, painted = put(settings, *new(20)), []

    class Noting(StubModel):
        def predict(self, tasks):
            painted.extend(task.id for task in tasks)
            return super().predict(tasks)

    hire(Noting, limit=1)
    for job in (*jobs, patient):
        outcome(settings, job)
    assert painted.index(patient.task.id) < len(jobs)


def test_one_bad_job_fails_alone(settings, worker):
    good, bad, other = outcomes(settings, 1, 13, 2)
    assert isinstance(bad, TaskFailure)
    assert isinstance(good, TaskSuccess) and isinstance(other, TaskSuccess)


def test_batch_longer_than_its_lease_runs_only_once(settings, hire):
    settings = settings.model_copy(update={"lease_seconds": 1.0})  # renewed in time beside load
    slow = Slow(settings)
    hire(lambda: slow, settings=settings)
    hire(lambda: slow, settings=settings)
    assert len(outcomes(settings, 1)) == 1
    assert slow.batches == [1]


class Mortal(StubModel):
    """A model that dies of poison, and is of no use from then on."""

    def __init__(self, births, deadly=CRASHING_SEED):
        super().__init__()
        births.append(self)
        self.dead, self.deadly = False, deadly

    def predict(self, tasks):
        if self.dead or any(task.seed == self.deadly for task in tasks):
            self.dead = True
            raise ModelCrashedError("its process was ended by signal 9")
        return super().predict(tasks)


def test_crashing_task_is_isolated_and_others_are_answered(settings, hire, server):
    births, seeds = [], [*range(7), CRASHING_SEED, *range(20, 28)]
    stop = threading.Event()

    class Waiting(Mortal):
        def predict(self, tasks):
            stop.wait(1)
            return super().predict(tasks)

    hire(lambda: Waiting(births), limit=16)
    stop.set()
    found = dict(zip(seeds, outcomes(settings, *seeds), strict=True))
    poison = found.pop(CRASHING_SEED)
    assert all(isinstance(one, TaskSuccess) for one in found.values()) and len(found) == 15
    assert isinstance(poison, TaskFailure) and "signal 9" in poison.reason
    [(_, letter)] = server.xrange(RedisKeys(settings.namespace).dead_letters)
    assert letter[b"reason"].decode() == poison.reason


def test_random_model_crash_costs_no_job(settings, hire):
    births = []

    class Unlucky(Mortal):
        def predict(self, tasks):
            if len(births) == 1:
                raise ModelCrashedError("the machine ran out of memory")
            return super().predict(tasks)

    hire(lambda: Unlucky(births))
    assert [type(one) for one in outcomes(settings, 1, 2, 3)] == [TaskSuccess] * 3
    assert len(births) == 2


def test_worker_waits_for_a_model_failing_to_restart(settings, hire, monkeypatch):
    monkeypatch.setattr("service.worker.redis_retry._RETRY_SECONDS", 0.05)
    births, tries = [], []

    def load():
        tries.append(1)
        if len(tries) in (2, 3):
            raise StartError("not now")
        return Mortal(births)

    hire(load)
    poison, good = outcomes(settings, CRASHING_SEED, 1)
    assert isinstance(poison, TaskFailure) and isinstance(good, TaskSuccess)


class Signalling(StubModel):
    """Sets an event when a batch begins, and waits for another before it fills."""

    def __init__(self):
        super().__init__()
        self.began, self.resume = threading.Event(), threading.Event()

    def predict(self, tasks):
        self.began.set()
        assert self.resume.wait(SECONDS)
        return super().predict(tasks)


def test_stopping_worker_finishes_its_batch_and_releases_others(settings, hire):
    # Longer than the test may take: what is not handed back cannot be had in time.
    settings = settings.model_copy(update={"lease_seconds": 600})
    jobs = put(settings, *new(6))
    model = Signalling()
    first = hire(lambda: model, limit=2, settings=settings)
    first._batcher.read_order = lambda: [(Priority.INTERACTIVE, 6)]  # more than fits into a batch
    assert model.began.wait(SECONDS)
    first.stop()
    model.resume.set()
    assert eventually(lambda: state(settings, jobs[0]) == State.DONE)
    assert [state(settings, job) for job in jobs[1:]] == [State.DONE] + [State.QUEUED] * 4
    hire(StubModel, settings=settings)
    assert [type(outcome(settings, job)) for job in jobs] == [TaskSuccess] * 6


class Edition(StubModel):
    def __init__(self, number):
        super().__init__()
        self.models = {"stub": f"sha256:{number}"}
        self.closed = False

    def close(self):
        self.closed = True


def test_bundles_reload_beside_the_old_without_losing_jobs(settings, hire):
    editions = [Edition(1), Edition(2)]
    coming = iter(editions)
    hire(lambda: next(coming))

    def digest():
        heartbeats = with_queue(settings, lambda queue: queue.workers()).values()
        return next((heartbeat.models["stub"] for heartbeat in heartbeats), None)

    assert eventually(lambda: digest() == "sha256:1")
    with_queue(settings, lambda queue: queue.request_reload())
    assert [type(one) for one in outcomes(settings, *range(1, 9))] == [TaskSuccess] * 8
    assert eventually(lambda: digest() == "sha256:2")
    assert editions[0].closed and not editions[1].closed


def test_unreadable_new_bundle_leaves_the_old_one_serving(settings, hire):
    tries = []

    def load():
        tries.append(1)
        if len(tries) > 1:
            raise StartError("the bundle is damaged")
        return StubModel()

    hire(load)

    def error():
        heartbeats = with_queue(settings, lambda queue: queue.workers()).values()
        return next((heartbeat.error for heartbeat in heartbeats), None)

    assert eventually(lambda: with_queue(settings, lambda queue: queue.workers()))
    with_queue(settings, lambda queue: queue.request_reload())
    assert eventually(lambda: error() == "the bundle is damaged")
    assert isinstance(outcomes(settings, 1)[0], TaskSuccess)


def test_a_worker_survives_a_server_that_forgot_everything(settings, worker, server):
    outcomes(settings, 1)
    server.delete(RedisKeys(settings.namespace).stream(Priority.INTERACTIVE))
    assert isinstance(outcomes(settings, 2)[0], TaskSuccess)


def test_a_worker_that_stops_is_no_longer_counted(settings, worker, server):
    outcomes(settings, 1)
    worker.stop()
    assert eventually(lambda: server.hlen(RedisKeys(settings.namespace).workers) == 0)


def test_a_worker_counts_what_it_does(settings, worker, server):
    outcomes(settings, 1, 2, 13)
    counts = RedisKeys(settings.namespace).metrics
    assert eventually(lambda: server.hget(counts, "batch_size:sum") == b"3")
    assert (server.hget(counts, "done"), server.hget(counts, "failed")) == (b"2", b"1")
