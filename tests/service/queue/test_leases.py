"""Leases, their renewal, what a silent worker leaves behind, and dead letters; a real server."""

import pytest
import redis

from service.queue.consumer import Consumer
from service.queue.jobs import IdempotencyKey, Job, Priority, State
from service.queue.redis_keys import GROUP, RedisKeys
from service.queue.task import TaskFailure
from tests.helpers.service.queueing import ALL, RESULT, new, outcome, put, state, with_queue

pytestmark = pytest.mark.server


def tasks(leases):
    return [lease.task for lease in leases]


@pytest.fixture
def settings(settings):
    """With a lease that does not run out by itself, however slow the machine is."""
    return settings.model_copy(update={"lease_seconds": 300})


def pass_time(settings, leases):
    """Make the server think that so many leases went by since each entry was last heard of."""
    keys = RedisKeys(settings.namespace)
    with redis.Redis.from_url(settings.redis_url, protocol=2) as server:
        for stream in map(keys.stream, Priority):
            for entry in server.xpending_range(stream, GROUP, "-", "+", 1000):
                idle = entry["time_since_delivered"] + int(leases * settings.lease_seconds * 1000)
                server.xclaim(stream, GROUP, entry["consumer"], 0, [entry["message_id"]],
                              idle=idle, justid=True)  # fmt: skip


def sleep_a_lease(settings):
    pass_time(settings, 1.01)


def test_a_lease_that_ran_out_is_retaken(settings, consumer):
    [job] = put(settings, *new())
    consumer.take(ALL)
    other = Consumer(settings)
    assert other.reclaim() == []
    sleep_a_lease(settings)
    assert tasks(other.reclaim()) == [job.task]


def test_a_renewed_lease_is_not_retaken(settings, consumer):
    put(settings, *new())
    consumer.take(ALL)
    other = Consumer(settings)
    for _ in range(3):
        pass_time(settings, 0.5)
        assert consumer.renew() == 1
        assert other.reclaim() == []


def test_dead_leases_are_found_behind_many_live_ones(settings, consumer):
    put(settings, *new(15))
    alive = consumer.take([(Priority.INTERACTIVE, 14)])
    dead = Consumer(settings)
    dead.take(ALL)
    sleep_a_lease(settings)
    consumer.renew()
    assert len(alive) == 14 and len(Consumer(settings).reclaim()) == 1


def test_late_worker_does_not_reclaim_its_task(settings, consumer):
    put(settings, *new())
    consumer.take(ALL)
    sleep_a_lease(settings)
    assert len(Consumer(settings).reclaim()) == 1
    assert consumer.renew() == 0


def test_renewal_does_not_count_as_a_delivery(settings, consumer, server, keys):
    put(settings, *new())
    consumer.take(ALL)
    for _ in range(5):
        consumer.renew()
    [entry] = server.xpending_range(keys.stream(Priority.INTERACTIVE), "workers", "-", "+", 1)
    assert entry["times_delivered"] == 1


def test_dead_workers_tasks_are_reclaimed_one_by_one(settings, consumer):
    put(settings, *new(2), *new(1, priority=Priority.BATCH))
    consumer.take(ALL)
    sleep_a_lease(settings)
    other = Consumer(settings)
    assert [len(other.reclaim()) for _ in range(4)] == [1, 1, 1, 0]


def test_released_task_is_taken_at_once_as_new(settings, consumer, server, keys):
    [job] = put(settings, *new())
    assert consumer.release(consumer.take(ALL)) == 1
    assert state(settings, job) == State.QUEUED
    assert tasks(Consumer(settings).reclaim()) == [job.task]
    [entry] = server.xpending_range(keys.stream(Priority.INTERACTIVE), "workers", "-", "+", 1)
    assert entry["times_delivered"] == 1


def give_up(settings, consumer):
    [job] = put(settings, *new())
    consumer.take(ALL)
    for _ in range(settings.max_deliveries):
        sleep_a_lease(settings)
        last = Consumer(settings).reclaim()
    assert last == []
    return job


def test_task_that_crashes_every_worker_becomes_dead_letter(settings, consumer, server, keys):
    job = give_up(settings, consumer)
    [(_, letter)] = server.xrange(keys.dead_letters)
    reason = letter[b"reason"].decode()
    assert letter[b"work"].decode() == job.task.id and "5 deliveries" in reason
    assert outcome(settings, job) == TaskFailure(reason)


def test_repeated_work_reports_its_dead_letter(settings, consumer):
    [job] = put(settings, *new())
    consumer.dead_letter(consumer.take(ALL)[0], "it kills")
    [again] = put(settings, Job(job.task))
    assert consumer.take(ALL) == [] and outcome(settings, again) == TaskFailure("it kills")


def test_task_that_died_with_its_workers_is_retried(settings, consumer, server, keys):
    job = give_up(settings, consumer)
    [again] = put(settings, Job(job.task))
    assert server.xlen(keys.dead_letters) == 0  # it is queued again: no letter to put back
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, again) == RESULT


def test_dead_letter_of_the_infrastructure_is_tried_anew(settings, consumer, server, keys):
    named = IdempotencyKey("caller:key", "payload")
    [job] = new()
    with_queue(settings, lambda queue: queue.put(job, idempotency=named))
    consumer.dead_letter(consumer.take(ALL)[0], "the device failed")
    server.hset(keys.task + job.task.id, "cause", "infrastructure")
    again = Job(job.task)
    admitted = with_queue(settings, lambda queue: queue.put(again, idempotency=named))
    assert admitted.job == again.id
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, again) == RESULT


def test_requeued_dead_letter_is_answered(settings, consumer, server, keys):
    job = give_up(settings, consumer)
    [(entry, _)] = server.xrange(keys.dead_letters)
    assert consumer.requeue(entry.decode())
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, job) == RESULT and server.xlen(keys.dead_letters) == 0


def test_dead_letter_keeps_what_a_retry_needs(settings, consumer, server, keys):
    [job] = put(settings, *new())
    consumer.dead_letter(consumer.take(ALL)[0], "it kills")
    assert outcome(settings, job) == TaskFailure("it kills")
    assert server.hexists(keys.task + job.task.id, "window")
