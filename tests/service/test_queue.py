"""What the Lua scripts promise, on a real server."""

import asyncio
import time

import pytest

from service.consumer import Consumer
from service.errors import AnswerTimeout, QueueFull, QueueUnavailable
from service.jobs import Failure, Job, Result
from service.queue import Keys, Queue
from service.settings import Settings

RESULT = Result(b"\0" * 3072, "sha256:x", 1.0, 2.0, 1)

pytestmark = pytest.mark.server


def with_queue(settings, work):
    """Run `work(queue)` on an event loop of its own."""

    async def run():
        queue = Queue(settings)
        try:
            return await work(queue)
        finally:
            await queue.close()

    return asyncio.run(run())


def put(settings, *jobs):
    async def work(queue):
        for job in jobs:
            await queue.put(job)

    with_queue(settings, work)
    return jobs


def new(count=1):
    return [Job.new(bytes(12288), "a cat", 1) for _ in range(count)]


@pytest.fixture
def consumer(settings):
    consumer = Consumer(settings)
    consumer.join()
    return consumer


def test_jobs_come_out_as_they_went_in_and_in_order(settings, consumer):
    jobs = put(settings, *new(3))
    assert [lease.job for lease in consumer.take(8, 0.1)] == list(jobs)


def test_jobs_queued_before_the_first_worker_are_found(settings):
    [job] = put(settings, *new())
    late = Consumer(settings)
    late.join()
    assert [lease.job for lease in late.take(8, 0.1)] == [job]


def test_no_more_jobs_are_taken_than_asked_for(settings, consumer):
    put(settings, *new(3))
    assert [len(consumer.take(2, 0.1)) for _ in range(2)] == [2, 1]


def test_two_workers_never_take_the_same_job(settings, consumer):
    put(settings, *new(4))
    taken = consumer.take(2, 0.1) + Consumer(settings).take(8, 0.1)
    assert len({lease.job.id for lease in taken}) == len(taken) == 4


def test_a_full_queue_refuses_and_queues_nothing(settings, server):
    put(settings, *new(settings.queue_limit))
    with pytest.raises(QueueFull):
        put(settings, *new())
    assert server.xlen(Keys(settings.namespace).stream) == settings.queue_limit


def test_jobs_that_run_count_towards_the_depth(settings, consumer):
    put(settings, *new(settings.queue_limit))
    consumer.take(5, 0.1)
    with pytest.raises(QueueFull):
        put(settings, *new())


def test_a_repeated_put_queues_once(settings, consumer):
    [job] = new()
    put(settings, job, job)
    assert len(consumer.take(8, 0.1)) == 1


def test_the_one_who_waits_gets_the_outcome(settings, consumer):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(1, 0.1)[0], RESULT)
    assert with_queue(settings, lambda queue: queue.wait(job.id)) == RESULT


def test_a_result_is_stored_once(settings, consumer):
    [job] = put(settings, *new())
    [lease] = consumer.take(1, 0.1)
    assert [consumer.finish(lease, RESULT), consumer.finish(lease, Failure("late"))] == [
        True,
        False,
    ]
    assert with_queue(settings, lambda queue: queue.wait(job.id)) == RESULT


def test_a_finished_job_leaves_neither_entry_nor_picture(settings, consumer, server):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(1, 0.1)[0], RESULT)
    keys = Keys(settings.namespace)
    assert server.xlen(keys.stream) == 0
    assert not {b"window", b"caption"} & set(server.hkeys(keys.job(job.id)))


def test_a_result_does_not_stay_for_ever(settings, consumer, server):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(1, 0.1)[0], RESULT)
    assert 0 < server.ttl(Keys(settings.namespace).job(job.id)) <= settings.result_seconds


def test_a_lease_that_ran_out_is_retaken(settings, consumer):
    [job] = put(settings, *new())
    consumer.take(1, 0.1)
    other = Consumer(settings)
    assert other.retake() == []
    time.sleep(settings.lease_seconds + 0.05)
    assert [lease.job for lease in other.retake()] == [job]


def test_a_renewed_lease_is_not_retaken(settings, consumer):
    put(settings, *new())
    consumer.take(1, 0.1)
    other = Consumer(settings)
    for _ in range(3):
        time.sleep(settings.lease_seconds / 2)
        assert consumer.renew() == 1
        assert other.retake() == []


def test_a_late_worker_does_not_steal_its_job_back(settings, consumer):
    put(settings, *new())
    consumer.take(1, 0.1)
    time.sleep(settings.lease_seconds + 0.05)
    assert len(Consumer(settings).retake()) == 1
    assert consumer.renew() == 0


def test_renewal_does_not_count_as_a_delivery(settings, consumer, server):
    put(settings, *new())
    consumer.take(1, 0.1)
    for _ in range(5):
        consumer.renew()
    [entry] = server.xpending_range(Keys(settings.namespace).stream, "workers", "-", "+", 1)
    assert entry["times_delivered"] == 1


def test_jobs_of_a_dead_worker_are_retaken_one_at_a_time(settings, consumer):
    put(settings, *new(3))
    consumer.take(3, 0.1)
    time.sleep(settings.lease_seconds + 0.05)
    other = Consumer(settings)
    assert [len(other.retake()) for _ in range(4)] == [1, 1, 1, 0]


def test_a_job_that_kills_every_worker_becomes_a_dead_letter(settings, consumer, server):
    [job] = put(settings, *new())
    consumer.take(1, 0.1)
    for _ in range(settings.max_deliveries):
        time.sleep(settings.lease_seconds + 0.05)
        last = Consumer(settings).retake()
    [(_, letter)] = server.xrange(Keys(settings.namespace).dead)
    assert last == [] and letter[b"id"].decode() == job.id and b"3 deliveries" in letter[b"reason"]
    assert with_queue(settings, lambda queue: queue.wait(job.id)) == Failure(
        letter[b"reason"].decode()
    )


def test_an_expired_job_is_dropped_before_the_model(settings, consumer, server):
    hasty = settings.model_copy(update={"answer_seconds": 0.05})
    put(hasty, *new())
    time.sleep(0.1)
    assert consumer.take(8, 0.1) == []
    assert server.xlen(Keys(settings.namespace).stream) == 0


def test_a_job_whose_client_left_is_dropped_before_the_model(settings, consumer, server):
    [gone, kept] = put(settings, *new(2))
    with_queue(settings, lambda queue: queue.abandon(gone.id))
    assert [lease.job for lease in consumer.take(8, 0.1)] == [kept]
    assert server.xlen(Keys(settings.namespace).stream) == 1


def test_without_a_worker_the_wait_ends_at_the_deadline(settings):
    hasty = settings.model_copy(update={"answer_seconds": 0.2})
    [job] = put(hasty, *new())
    with pytest.raises(AnswerTimeout):
        with_queue(hasty, lambda queue: queue.wait(job.id))


def test_a_lost_bell_costs_time_and_not_the_answer(settings, consumer, server):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(1, 0.1)[0], RESULT)
    server.delete(Keys(settings.namespace).bell(job.id))
    assert with_queue(settings, lambda queue: queue.wait(job.id)) == RESULT


def test_a_server_that_is_away_is_named_as_such():
    nowhere = Settings(redis_url="redis://127.0.0.1:1")
    with pytest.raises(QueueUnavailable):
        put(nowhere, *new())


def test_workers_that_beat_are_counted_and_silent_ones_are_not(settings, consumer, server):
    consumer.beat("sha256:x")
    server.hset(Keys(settings.namespace).workers, "old", "1000 sha256:y")
    assert with_queue(settings, lambda queue: queue.workers()) == {consumer.name: "sha256:x"}


def test_a_worker_that_leaves_is_not_counted(settings, consumer):
    consumer.beat("sha256:x")
    consumer.leave()
    assert with_queue(settings, lambda queue: queue.workers()) == {}


def test_more_wait_at_once_than_a_pool_of_connections_holds_by_default(
    settings, consumer, monkeypatch
):
    monkeypatch.setattr("service.queue._RETRY_SECONDS", 60)  # no second try
    wide = settings.model_copy(update={"queue_limit": 150})
    jobs = put(wide, *new(150))
    for lease in consumer.take(150, 0.1):
        consumer.finish(lease, RESULT)

    async def wait_for_all(queue):
        return await asyncio.gather(*(queue.wait(job.id) for job in jobs))

    assert with_queue(wide, wait_for_all) == [RESULT] * 150
