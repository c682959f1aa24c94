"""Workers with different bundles on one queue: each gets the work that it can do."""

import threading
import time

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.errors.queue import QueueFull
from service.errors.requests import UnknownModel
from service.queue.consumer import Consumer
from service.queue.jobs import Job, Priority, State
from service.queue.stats import read_stats
from service.queue.task import WINDOW_BYTES, InferenceTask, TaskSuccess
from service.queue.worker_reports import WorkerRegistry
from service.worker.batching import Batcher
from service.worker.worker import Worker
from tests.helpers.service.queueing import ALL, RESULT, new, outcome, outcomes, put, with_queue
from tests.helpers.service.stub_model import StubModel
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.server


class Named(StubModel):
    """A stub model whose bundles have other names; for work that names another it has no fill."""

    def __init__(self, *names):
        super().__init__()
        self.models = dict.fromkeys(names, "sha256:stub")
        self.engines, self.default = dict.fromkeys(names, "brush"), names[0]

    def _fill(self, task):
        if task.model and task.model not in self.models:
            return LookupError(f"no bundle called {task.model!r} is loaded")
        return super()._fill(task)


@pytest.fixture
def hire(settings):
    """Start workers with bundles of some names; they end with the test."""
    hired = []

    def start(*names):
        policy = Batcher(8, settings.lease_seconds, time.monotonic)
        worker = Worker(Consumer(settings), lambda: Named(*names), policy)
        thread = threading.Thread(target=worker.run)
        hired.append((worker, thread))
        thread.start()
        assert eventually(lambda: worker._has_streams)
        return worker

    yield start
    for worker, thread in hired:
        worker.stop()
        thread.join()


def named(model, seed, **options):
    return Job(
        InferenceTask(bytes(WINDOW_BYTES), "a cat", seed, model=model), seconds=20, **options
    )


def results(settings, jobs):
    return [type(outcome(settings, job, 20)) for job in jobs]


def test_each_model_is_served_by_its_worker(settings, hire):
    hire("a")
    hire("b")
    priorities = (Priority.INTERACTIVE, Priority.BATCH)
    jobs = [named("ab"[n % 2], 100 + n, priority=priorities[n // 2 % 2]) for n in range(20)]
    put(settings, *jobs)
    assert results(settings, jobs) == [TaskSuccess] * 20


def test_work_queued_before_its_worker_came_is_forwarded(settings, hire):
    jobs = [named("b", 1), named("a", 2), *new()]  # in the streams that have no model
    put(settings, *jobs)
    hire("a")
    assert results(settings, jobs[1:]) == [TaskSuccess] * 2
    hire("b")
    assert results(settings, jobs[:1]) == [TaskSuccess]


def test_an_entry_of_an_older_version_is_served(settings, server, keys, hire):
    [job] = put(settings, named("b", 1))
    server.hdel(keys.task + job.task.id, "stream")
    hire("a")
    hire("b")
    assert results(settings, [job]) == [TaskSuccess]


def test_released_task_waits_for_its_models_worker(settings, consumer, hire):
    consumer.create_streams(["a"])
    jobs = put(settings, named("a", 1), named("a", 2))
    assert consumer.release(consumer.take(ALL)) == 2
    hire("b")
    hire("a")
    assert results(settings, jobs) == [TaskSuccess] * 2


def test_full_stream_of_one_model_leaves_others_open(settings, consumer):
    consumer.create_streams(["a", "b"])
    put(settings, *(named("a", seed) for seed in range(settings.queue_limit)))
    with pytest.raises(QueueFull):
        put(settings, named("a", 1000))
    put(settings, named("b", 1))
    with_queue(settings, lambda queue: queue.check_room())


def test_steady_work_for_one_model_starves_no_other(settings, consumer):
    consumer.create_streams(["a", "b"])
    put(settings, *(named("a", seed) for seed in range(10)), named("b", 1))
    first = [(Priority.INTERACTIVE, 2)]
    taken = [lease.task.model for _ in range(3) for lease in consumer.take(first)]
    assert "b" in taken and len(taken) == 6


def test_the_state_of_the_queue_counts_every_model(settings, consumer):
    import asyncio

    consumer.create_streams(["a"])
    put(settings, named("a", 1), named("a", 2, priority=Priority.BATCH), *new())
    consumer.take([(Priority.INTERACTIVE, 1)])
    priorities = asyncio.run(read_stats(settings)).priorities
    assert [(priorities[x].waiting, priorities[x].running) for x in ("interactive", "batch")] == [
        (1, 1),
        (1, 0),
    ]


def test_a_mixed_fleet_has_one_default(settings):
    async def resolve(queue):
        registry = WorkerRegistry(queue.workers)
        first = (await registry.resolve(""))[0]
        with pytest.raises(UnknownModel):
            await registry.resolve("c")
        return first, (await registry.resolve("b"))[0]

    for default in "baa":
        facts = {"models": {default: "x"}, "default": default, "generation": 0}
        Consumer(settings).heartbeat(facts)
    assert with_queue(settings, resolve) == ("a", "b")


def expire(settings, jobs):
    """Put jobs whose deadline is over at once."""
    put(settings, *(Job(job.task, seconds=0.05, background=True, id=job.id) for job in jobs))
    time.sleep(0.1)


def test_expired_task_of_model_without_worker_is_reported(settings, consumer, server, keys):
    consumer.create_streams(["gone"])
    [job] = [named("gone", 1)]
    expire(settings, [job])
    Consumer(settings).sweep()
    status = with_queue(settings, lambda queue: queue.status(job.id))
    assert status.state == State.EXPIRED and "no worker had the model gone" in status.reason
    assert not server.exists(keys.stream("interactive", "gone"))


def test_a_sweep_goes_through_a_long_stream(settings, monkeypatch, server, keys):
    monkeypatch.setattr("service.queue.consumer._SWEEP_LIMIT", 4)
    put(settings, *new())
    expire(settings, [named("", seed) for seed in range(10)])
    for _ in range(4):
        Consumer(settings).sweep()
    assert server.xlen(keys.stream(Priority.INTERACTIVE)) == 1


def test_expired_tasks_do_not_count_without_a_worker(settings):
    expire(settings, [named("", seed) for seed in range(settings.queue_limit)])
    with_queue(settings, lambda queue: queue.check_room())
    put(settings, *new())


def test_leases_whose_work_is_gone_are_dropped(settings, consumer, server, keys):
    put(settings, *new(3))
    leases = consumer.take(ALL)
    server.delete(*(keys.task + lease.task_id for lease in leases))
    Consumer(settings).sweep()
    assert server.xlen(keys.stream(Priority.INTERACTIVE)) == 0


def test_work_with_unreadable_fields_is_a_dead_letter(settings, consumer, server, keys):
    good, bad = put(settings, *new(2))
    server.hdel(keys.task + bad.task.id, "seed")
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, good) == RESULT
    assert "cannot be read" in outcome(settings, bad).reason


def test_requests_name_either_model_of_a_mixed_fleet(settings, hire, noise, encode):
    hire("a")
    hire("b")
    files = {"image": encode(noise())}
    with TestClient(create_app(settings)) as client:
        answers = [
            client.post("/inpaint", files=files, data={"caption": "x", "model": "ab"[n % 2]})
            for n in range(8)
        ]
    assert [(each.status_code, each.headers["x-model"]) for each in answers] == [(200, "stub")] * 8


def test_outcomes_come_while_workers_of_bundles_are_added(settings, hire):
    for names in ("a", "ab", "b"):
        hire(*names)
        assert [type(one) for one in outcomes(settings, *range(5))] == [TaskSuccess] * 5


def test_one_bundle_alone_is_listed_as_the_default(settings, hire):
    hire("a")
    hire("b")
    with TestClient(create_app(settings)) as client:
        assert eventually(lambda: len(client.get("/v1/models").json()["data"]) == 2)
        listed = [(one["id"], one["default"]) for one in client.get("/v1/models").json()["data"]]
        assert listed == [("a", True), ("b", False)]
