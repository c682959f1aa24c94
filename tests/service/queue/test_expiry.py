"""What belongs together expires together, and whoever waits for what expires is told."""

import random
from contextlib import suppress

import pytest

from service.errors.queue import AnswerTimeout, NoSuchJob
from service.queue.jobs import IdempotencyKey, Job, Priority, State
from service.queue.task import TaskFailure
from tests.helpers.service.keyspace import LASTING, Keyspace, pass_time
from tests.helpers.service.queueing import ALL, RESULT, new, outcome, put, state, with_queue

pytestmark = pytest.mark.server

PICTURE = b"p" * 5000
KEEP_MS = 600_000  # as long as the settings keep a result


def put_upload(settings, job, key=None):
    return with_queue(settings, lambda queue: queue.put(job, PICTURE, key))


def sweep(settings):
    return with_queue(settings, lambda queue: queue.sweep(0, 100))


def events(settings, job):
    return [event.state for event in with_queue(settings, lambda queue: queue.events.since(job.id))]


def test_kept_result_lives_until_its_last_job_expires(settings, consumer, server, keys):
    [job] = put(settings, *new())
    consumer.finish(consumer.take(ALL), [RESULT])
    pass_time(server, keys, 400)
    again = Job(job.task, background=True)
    assert put_upload(settings, again).answered
    pass_time(server, keys, 400)
    assert not server.exists(keys.job + job.id)
    assert state(settings, again) == State.DONE and outcome(settings, again) == RESULT
    Keyspace.of(server, keys).check(KEEP_MS)


def test_retry_after_result_expiry_is_a_new_job(settings, consumer, server, keys):
    named = IdempotencyKey("caller:key", "payload")
    first, second = Job(new()[0].task, background=True), Job(new()[0].task, background=True)
    put_upload(settings, first, named)
    consumer.finish(consumer.take(ALL), [RESULT])
    pass_time(server, keys, 601)
    admitted = put_upload(settings, second, named)
    assert (admitted.job, admitted.is_new, admitted.answered) == (second.id, True, False)
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, second) == RESULT


def test_retry_of_expired_job_is_a_new_job(settings, consumer, server, keys):
    named = IdempotencyKey("caller:key", "payload")
    first, second = new(2)
    put_upload(settings, first, named)
    pass_time(server, keys, 61)
    assert put_upload(settings, second, named).job == second.id


@pytest.mark.parametrize("running", [False, True])
def test_work_that_expires_tells_its_client(settings, consumer, server, keys, running):
    [made] = new()
    job = Job(made.task, seconds=60, background=True, webhook="https://example.com/")
    put_upload(settings, job)
    leases = consumer.take(ALL) if running else []
    pass_time(server, keys, 61)
    assert sweep(settings)[1] == 1
    found = (
        [State.QUEUED, State.RUNNING, State.EXPIRED] if running else [State.QUEUED, State.EXPIRED]
    )
    assert events(settings, job) == found
    assert server.zscore(keys.hooks, job.id) and not server.exists(keys.upload + job.id)
    assert consumer.finish(leases, [RESULT] * len(leases)) == 0
    with pytest.raises(AnswerTimeout):
        outcome(settings, job)
    Keyspace.of(server, keys).check(KEEP_MS)


def test_a_job_expires_though_its_work_goes_on(settings, consumer, server, keys):
    [patient] = new(background=True)
    hasty = Job(patient.task, seconds=10, background=True)
    put_upload(settings, patient)
    put_upload(settings, hasty)
    pass_time(server, keys, 11)
    sweep(settings)
    assert (state(settings, hasty), state(settings, patient)) == (State.EXPIRED, State.QUEUED)
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, patient) == RESULT


def test_old_dead_letters_are_removed_with_their_work(settings, consumer, server, keys):
    [job] = put(settings, *new())
    consumer.dead_letter(consumer.take(ALL)[0], "it kills")
    sweep(settings)
    assert server.xlen(keys.dead_letters) == 1
    pass_time(server, keys, settings.dead_letter_seconds + 1)
    assert not server.exists(keys.task + job.task.id, keys.subscribers + job.task.id)
    # Entries of a stream are named by their time, which cannot be changed.
    sweep(settings.model_copy(update={"dead_letter_seconds": 0.001}))
    assert not server.exists(keys.dead_letters)


def test_a_requeued_dead_letter_has_a_new_deadline(settings, consumer, server, keys):
    job = Job(new()[0].task, background=True, seconds=60)
    put_upload(settings, job)
    consumer.dead_letter(consumer.take(ALL)[0], "it kills")
    [(letter, _)] = server.xrange(keys.dead_letters)
    pass_time(server, keys, 61)
    assert consumer.requeue(letter.decode())
    sweep(settings)
    Keyspace.of(server, keys).check(KEEP_MS)
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, job) == RESULT and events(settings, job)[-1] == State.DONE


class Walk:
    """Random steps of clients, workers and time."""

    def __init__(self, settings, consumer, server, keys, seed):
        self.settings, self.consumer, self.server, self.keys = settings, consumer, server, keys
        self.random = random.Random(seed)
        self.jobs, self.leases = [], []

    def accept(self, task=None):
        seconds = self.random.choice([30, 300, 3600])
        priority = self.random.choice(list(Priority))
        job = Job(task or new()[0].task, seconds=seconds, background=True, priority=priority)
        key = IdempotencyKey(f"key{self.random.randrange(3)}", "payload")
        put_upload(self.settings, job, self.random.choice([None, key]))
        self.jobs.append(job)

    def join(self):
        self.accept(self.random.choice(self.jobs).task if self.jobs else None)

    def take(self):
        self.leases += self.consumer.take([(Priority.INTERACTIVE, 2), (Priority.BATCH, 3)])

    def finish(self):
        if self.leases:
            ending = self.random.choice([RESULT, RESULT, TaskFailure("bad luck")])
            self.consumer.finish([self.leases.pop()], [ending])

    def dead_letter(self):
        if self.leases:
            lease = self.leases.pop()
            self.consumer.dead_letter(lease, "x")
            if self.random.random() < 0.5 and self.server.exists(self.keys.task + lease.task_id):
                self.server.hset(self.keys.task + lease.task_id, "cause", "infrastructure")

    def requeue(self):
        for letter, _ in self.server.xrange(self.keys.dead_letters, count=1):
            self.consumer.requeue(letter.decode())

    def cancel(self):
        job = self.random.choice(self.jobs) if self.jobs else None

        async def cancel(queue):
            with suppress(NoSuchJob):
                await queue.cancel(job.id, forget=self.random.random() < 0.5)

        if job:
            with_queue(self.settings, cancel)

    def wait(self, seconds=None):
        left = seconds or self.random.choice([10, 100, 700, 4000])
        while left > 0:  # in reality a sweep comes each second
            pass_time(self.server, self.keys, min(left, 300))
            sweep(self.settings)
            left -= 300

    def step(self):
        steps = [self.accept, self.join, self.take, self.finish, self.dead_letter, self.requeue]
        self.random.choice([*steps, self.finish, self.cancel, self.wait])()
        sweep(self.settings)
        Keyspace.of(self.server, self.keys).check(KEEP_MS)


@pytest.mark.parametrize("seed", range(6))
def test_no_two_keys_part_whatever_happens(settings, consumer, server, keys, seed):
    walk = Walk(settings, consumer, server, keys, seed)
    for _ in range(60):
        walk.step()
    walk.wait(5000)
    assert consumer.take([(priority, 1000) for priority in Priority]) == []
    consumer.finish(walk.leases, [RESULT] * len(walk.leases))
    left = Keyspace.of(server, keys)
    left.check(KEEP_MS)
    assert not left.named("job") and not left.named("upload") and not left.named("events")
    assert [
        left.values[keys.stream(priority).removeprefix(keys.prefix)] for priority in Priority
    ] == [{}, {}]
    assert not {"deadlines", "storage", "storage:bytes"} & set(left.values)


def test_in_the_end_nothing_but_counters_is_left(settings, consumer, server, keys):
    job = Job(new()[0].task, background=True, seconds=5)
    put_upload(settings, job)
    consumer.finish(consumer.take(ALL), [RESULT])
    pass_time(server, keys, 601)
    sweep(settings)
    left = set(Keyspace.of(server, keys).values)
    assert left <= {"metrics", "jobs", "jobs:batch"} < LASTING
    assert [server.xlen(keys.stream(priority)) for priority in Priority] == [0, 0]


def test_a_finished_job_leaves_few_bytes(settings, consumer, server, keys):
    def total():
        names = server.scan_iter(f"{keys.prefix}*")
        lasting = {f"{keys.prefix}{name}".encode() for name in ("metrics", "jobs", "jobs:batch")}
        return sum(server.memory_usage(name, samples=0) for name in names if name not in lasting)

    job = Job(new()[0].task, background=True, seconds=5)
    put_upload(settings, job)
    waiting = total()
    consumer.finish(consumer.take(ALL), [RESULT])
    charged = int(server.hget(keys.storage_bytes, job.account))
    assert len(PICTURE) + 12_288 < waiting < charged + 4096
    assert len(PICTURE) + 3072 < total() < len(PICTURE) + 3072 + 8192
