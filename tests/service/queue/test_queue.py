"""What the Lua scripts promise, on a real server."""

import asyncio
import time
from dataclasses import replace

import pytest

from service.config.settings import Settings
from service.errors.queue import (
    AnswerTimeout,
    Draining,
    JobGone,
    NoSuchJob,
    QueueFull,
    QueueUnavailable,
)
from service.errors.requests import KeyReused
from service.queue.consumer import Consumer
from service.queue.jobs import IdempotencyKey, Job, Priority, State
from service.queue.task import WINDOW_BYTES, InferenceTask, TaskFailure
from tests.helpers.service.keyspace import LASTING
from tests.helpers.service.queueing import (
    ALL,
    RESULT,
    new,
    outcome,
    put,
    state,
    wait_for,
    with_queue,
)

pytestmark = pytest.mark.server


def tasks(leases):
    return [lease.task for lease in leases]


def test_work_comes_out_unchanged_and_in_order(settings, consumer):
    jobs = put(settings, *new(3))
    assert tasks(consumer.take(ALL)) == [job.task for job in jobs]


def test_unscored_task_is_another_and_arrives_unscored(settings, consumer):
    scored = InferenceTask(bytes(WINDOW_BYTES), "a cat", 7)
    unscored = replace(scored, scored=False)
    assert scored.id != unscored.id
    put(settings, Job(unscored))
    assert tasks(consumer.take(ALL)) == [unscored]


def test_work_queued_before_the_first_worker_is_found(settings):
    [job] = put(settings, *new())
    late = Consumer(settings)
    late.create_streams()
    assert tasks(late.take(ALL)) == [job.task]


def test_no_more_work_is_taken_than_asked_for(settings, consumer):
    put(settings, *new(3))
    assert [len(consumer.take([(Priority.INTERACTIVE, 2)])) for _ in range(2)] == [2, 1]


def test_two_workers_never_take_the_same_work(settings, consumer):
    put(settings, *new(4))
    taken = consumer.take([(Priority.INTERACTIVE, 2)]) + Consumer(settings).take(ALL)
    assert len({lease.task_id for lease in taken}) == len(taken) == 4


def test_an_idle_worker_waits_for_either_lane(settings, consumer):
    put(settings, *new(priority=Priority.BATCH))
    assert [lease.priority for lease in consumer.poll(1)] == [Priority.BATCH]
    assert consumer.poll(0.01) == []


def test_interactive_work_overtakes_batch_work(settings, consumer):
    batch = put(settings, *new(2, priority=Priority.BATCH))
    [urgent] = put(settings, *new())
    taken = consumer.take([(Priority.INTERACTIVE, 2), (Priority.BATCH, 2)])
    assert tasks(taken) == [urgent.task, batch[0].task]


def test_a_full_queue_refuses_and_queues_nothing(settings, server, keys):
    put(settings, *new(settings.queue_limit))
    [late] = new()
    with pytest.raises(QueueFull):
        put(settings, late)
    assert server.xlen(keys.stream(Priority.INTERACTIVE)) == settings.queue_limit
    assert not server.exists(
        keys.job + late.id, keys.task + late.task.id, keys.subscribers + late.task.id
    )


def test_a_full_lane_leaves_the_other_open(settings):
    put(settings, *new(settings.queue_limit))
    [job] = put(settings, *new(priority=Priority.BATCH))
    assert state(settings, job) == State.QUEUED


def test_work_that_runs_counts_towards_the_depth(settings, consumer):
    put(settings, *new(settings.queue_limit))
    consumer.take(ALL)
    with pytest.raises(QueueFull):
        put(settings, *new())


def test_while_the_queue_drains_nothing_new_is_taken(settings, server, keys):
    server.set(keys.draining, 1)
    with pytest.raises(Draining):
        put(settings, *new())


def test_a_repeated_put_queues_once(settings, consumer):
    [job] = new()
    put(settings, job, job)
    assert len(consumer.take(ALL)) == 1


def test_equal_work_in_flight_is_done_once(settings, consumer):
    [job] = new()
    twin = Job(job.task, seconds=5)
    put(settings, job, twin)
    [lease] = consumer.take(ALL)
    late = put(settings, Job(job.task, seconds=5))[0]
    consumer.finish([lease], [RESULT])
    assert consumer.take(ALL) == []
    assert [outcome(settings, one) for one in (job, twin, late)] == [RESULT] * 3


def test_kept_result_answers_equal_work_without_a_worker(settings, consumer):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(ALL), [RESULT])
    again = Job(job.task)
    admitted = with_queue(settings, lambda queue: queue.put(again))
    assert admitted.answered and consumer.take(ALL) == []
    assert outcome(settings, again) == RESULT


def test_a_failure_is_not_kept_for_equal_work(settings, consumer):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(ALL), [TaskFailure("bad luck")])
    [again] = put(settings, Job(job.task))
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, job) == TaskFailure("bad luck")
    assert outcome(settings, again) == RESULT


def test_waiting_client_promotes_equal_batch_work_to_interactive(settings, consumer):
    [job] = put(settings, *new(priority=Priority.BATCH))
    put(settings, *new(3), Job(job.task))
    taken = consumer.take([(Priority.INTERACTIVE, 100)])
    assert taken[-1].task == job.task and consumer.take(ALL) == []


NAMED = IdempotencyKey("caller:key", "payload")


def put_named(settings, job, named=NAMED):
    return with_queue(settings, lambda queue: queue.put(job, idempotency=named))


def test_same_key_and_payload_give_same_job(settings, consumer):
    first, second = new(2)
    assert put_named(settings, first).is_new
    again = put_named(settings, second)
    assert (again.job, again.is_new) == (first.id, False)
    assert len(consumer.take(ALL)) == 1


def test_the_same_key_with_another_payload_is_refused(settings, consumer):
    first, second = new(2)
    put_named(settings, first)
    with pytest.raises(KeyReused):
        put_named(settings, second, IdempotencyKey(NAMED.name, "another"))
    assert len(consumer.take(ALL)) == 1


def test_two_at_once_with_one_key_run_once(settings, consumer):
    async def at_once(queue):
        return await asyncio.gather(*(queue.put(job, idempotency=NAMED) for job in new(10)))

    admitted = with_queue(settings, at_once)
    assert len({one.job for one in admitted}) == len(consumer.take(ALL)) == 1


def test_refused_request_does_not_consume_its_key(settings, consumer):
    put(settings, *new(settings.queue_limit))
    [job] = new()
    with pytest.raises(QueueFull):
        put_named(settings, job)
    consumer.finish(consumer.take(ALL), [RESULT] * settings.queue_limit)
    assert put_named(settings, job).is_new


def test_the_one_who_waits_gets_the_outcome(settings, consumer):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, job) == RESULT


def test_a_notification_ends_the_wait(settings, consumer, monkeypatch):
    monkeypatch.setattr("service.queue.client.POLL_SECONDS", 60)  # no polling
    [job] = new()

    async def wait(queue):
        with queue.notifier.subscribe(job.task.id) as completion:
            while not (await queue.redis.pubsub_numsub(queue.keys.notifications))[0][1]:
                await asyncio.sleep(0.01)
            await queue.put(job)
            completion.clear()
            waiting = asyncio.ensure_future(queue.wait(job.id, 50, completion))
            leases = await asyncio.to_thread(consumer.take, ALL)
            await asyncio.to_thread(consumer.finish, leases, [RESULT])
            return await waiting

    assert with_queue(settings, wait) == RESULT


def test_lost_notification_costs_time_but_no_result(settings, consumer):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(ALL), [RESULT])

    async def wait(queue):
        return await queue.wait(job.id, 50, asyncio.Event())

    assert with_queue(settings, wait) == RESULT


def test_a_result_is_stored_once(settings, consumer):
    [job] = put(settings, *new())
    leases = consumer.take(ALL)
    stored = [consumer.finish(leases, [one]) for one in (RESULT, TaskFailure("late"))]
    assert stored == [1, 0]
    assert outcome(settings, job) == RESULT


def test_finished_work_leaves_neither_entry_nor_picture(settings, consumer, server, keys):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(ALL), [RESULT])
    assert server.xlen(keys.stream(Priority.INTERACTIVE)) == 0
    assert not {b"window", b"caption"} & set(server.hkeys(keys.task + job.task.id))
    assert not server.exists(keys.subscribers + job.task.id)


def test_a_result_does_not_stay_for_ever(settings, consumer, server, keys):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(ALL), [RESULT])
    assert 0 < server.ttl(keys.task + job.task.id) <= settings.result_seconds
    assert 0 < server.ttl(keys.job + job.id) <= settings.result_seconds + job.seconds


def test_nothing_that_a_job_leaves_stays_for_ever(settings, consumer, server, keys):
    [job] = new(background=True, webhook="https://example.com/")
    with_queue(settings, lambda queue: queue.put(job, b"picture", NAMED))
    consumer.finish(consumer.take(ALL), [RESULT])
    lasting = {f"{keys.prefix}{name}".encode() for name in LASTING}
    found = set(server.scan_iter(f"{keys.prefix}*")) - lasting
    assert len(found) >= 5 and all(server.ttl(name) > 0 for name in found)


def test_expired_work_is_dropped_before_the_model(settings, consumer, server, keys):
    [job] = new(background=True)
    put(settings, Job(job.task, seconds=0.05, background=True, id=job.id))
    time.sleep(0.1)
    assert consumer.take(ALL) == []
    assert server.xlen(keys.stream(Priority.INTERACTIVE)) == 0
    assert state(settings, job) == State.EXPIRED


def test_cancelled_work_is_dropped_before_the_model(settings, consumer, server, keys):
    gone, kept = put(settings, *new(2))
    assert with_queue(settings, lambda queue: queue.cancel(gone.id)) == State.QUEUED
    assert server.xlen(keys.stream(Priority.INTERACTIVE)) == 1
    assert tasks(consumer.take(ALL)) == [kept.task]
    with pytest.raises(JobGone):
        outcome(settings, gone)


def test_cancelling_one_claim_leaves_the_other(settings, consumer):
    [job] = new()
    twin = Job(job.task, seconds=5)
    put(settings, job, twin)
    with_queue(settings, lambda queue: queue.cancel(job.id))
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, twin) == RESULT


def test_a_result_for_cancelled_work_is_dropped(settings, consumer):
    [job] = put(settings, *new())
    leases = consumer.take(ALL)
    with_queue(settings, lambda queue: queue.cancel(job.id))
    assert consumer.finish(leases, [RESULT]) == 0


def test_cancelling_a_finished_job_deletes_it(settings, consumer):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(ALL), [RESULT])
    assert with_queue(settings, lambda queue: queue.cancel(job.id)) == State.DONE
    with pytest.raises(NoSuchJob):
        with_queue(settings, lambda queue: queue.status(job.id))


def test_queue_position_counts_the_tasks_ahead(settings, consumer):
    first, second = put(settings, *new(2))
    [leisurely] = put(settings, *new(priority=Priority.BATCH))

    async def places(queue):
        return [(await queue.status(job.id)).position for job in (first, second, leisurely)]

    assert with_queue(settings, places) == [1, 2, 3]
    consumer.take([(Priority.INTERACTIVE, 1)])
    assert with_queue(settings, places) == [None, 1, 2]
    assert state(settings, first) == State.RUNNING


def test_the_estimate_follows_the_pace_of_the_workers(settings, consumer):
    consumer.heartbeat({"models": {}, "default": "", "generation": 0, "pace": 0.5})
    *_, last = put(settings, *new(4))
    assert with_queue(settings, lambda queue: queue.status(last.id)).estimate == 2.0


def test_job_events_can_be_followed_and_replayed(settings, consumer):
    [job] = put(settings, *new(background=True))
    consumer.finish(consumer.take(ALL), [RESULT])

    async def follow(queue, after="0-0"):
        return [e async for e in queue.events.follow(job.id, job.task.id, after) if e is not None]

    seen = with_queue(settings, follow)
    assert [event.state for event in seen] == [State.QUEUED, State.RUNNING, State.DONE]
    assert with_queue(settings, lambda queue: follow(queue, seen[0].id)) == seen[1:]


def test_job_with_webhook_is_due_at_its_end(settings, consumer, server, keys):
    [job] = put(settings, *new(webhook="https://example.com/"))
    before = server.zcard(f"{keys.prefix}hooks")
    consumer.finish(consumer.take(ALL), [RESULT])
    assert before == 0
    assert server.zrange(f"{keys.prefix}hooks", 0, -1) == [job.id.encode()]


def test_without_a_worker_waiting_ends_at_the_deadline(settings):
    [job] = put(settings, *new())
    with pytest.raises(AnswerTimeout):
        outcome(settings, job, 0.2)


def test_unreachable_server_is_named_as_such():
    nowhere = Settings(redis_url="redis://127.0.0.1:1")
    with pytest.raises(QueueUnavailable):
        put(nowhere, *new())


def test_only_workers_with_heartbeats_are_counted(settings, consumer, server, keys):
    facts = {"models": {"m": "sha256:x"}, "default": "m", "generation": 0}
    consumer.heartbeat(facts)
    server.hset(keys.workers, "old", '{"at": 1000, "models": {}, "default": "", "generation": 0}')
    heartbeats = with_queue(settings, lambda queue: queue.workers())
    assert (
        list(heartbeats) == [consumer.name] and heartbeats[consumer.name].models == facts["models"]
    )


def test_a_worker_that_leaves_is_not_counted(settings, consumer):
    consumer.heartbeat({"models": {}, "default": "", "generation": 0})
    consumer.deregister()
    assert with_queue(settings, lambda queue: queue.workers()) == {}


def test_more_wait_at_once_than_there_are_connections(settings, consumer):
    wide = settings.model_copy(update={"queue_limit": 150})
    jobs = put(wide, *new(150))
    leases = consumer.take([(Priority.INTERACTIVE, 150)])
    consumer.finish(leases, [RESULT] * 150)

    async def wait_for_all(queue):
        return await asyncio.gather(*(wait_for(queue, job) for job in jobs))

    assert with_queue(wide, wait_for_all) == [RESULT] * 150


def test_wait_for_a_result_is_two_round_trips(settings, consumer, server):
    def calls():
        found = server.info("commandstats")
        return {
            name.removeprefix("cmdstat_"): one["calls"]
            for name, one in found.items()
            if name.startswith(("cmdstat_eval", "cmdstat_script"))
        }

    async def action(queue, job):
        with queue.notifier.subscribe(job.task.id) as completion:
            await queue.put(job)
            leases = await asyncio.to_thread(consumer.take, ALL)
            await asyncio.to_thread(consumer.finish, leases, [RESULT])
            return await queue.wait(job.id, 10, completion)

    warm, measured = new(2)
    with_queue(settings, lambda queue: action(queue, warm))
    before = calls()
    assert with_queue(settings, lambda queue: action(queue, measured)) == RESULT
    # The API's enqueue and outcome, the worker's take and finish.
    assert {name: count - before.get(name, 0) for name, count in calls().items()} == {
        **dict.fromkeys(before, 0), "evalsha": 4,
    }  # fmt: skip


def test_results_are_stored_where_the_script_is_gone(settings, consumer, server):
    jobs = put(settings, *new(2))
    leases = consumer.take(ALL)
    server.script_flush()
    assert consumer.finish(leases, [RESULT] * 2) == 2
    assert [outcome(settings, job) for job in jobs] == [RESULT] * 2
