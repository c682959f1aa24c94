"""What belongs together expires together, and whoever waits for what expires is told."""

import random
import time
from contextlib import suppress

import pytest

from service.consumer import Consumer
from service.errors import AnswerTimeout, NoSuchJob
from service.jobs import Job, Lane, State
from service.queue import Idempotency
from service.work import Failure
from tests.service.keyspace import LASTING, Keyspace
from tests.service.queueing import ALL, RESULT, new, outcome, put, state, with_queue

pytestmark = pytest.mark.server

PICTURE = b"p" * 5000


@pytest.fixture
def brief(settings):
    """Settings under which a result is kept for half a second."""
    return settings.model_copy(update={"result_seconds": 0.5, "dead_letter_seconds": 1.0})


@pytest.fixture
def consumer(brief):
    consumer = Consumer(brief)
    consumer.join()
    return consumer


def put_upload(settings, job, key=None):
    return with_queue(settings, lambda queue: queue.put(job, PICTURE, key))


def sweep(settings):
    return with_queue(settings, lambda queue: queue.sweep(0, 100))


def wait_until_gone(server, name):
    """Wait for a key to expire."""
    deadline = time.monotonic() + 10
    while server.exists(name):
        assert time.monotonic() < deadline, f"{name} does not expire"
        time.sleep(0.01)


def events(settings, job):
    return [event.state for event in with_queue(settings, lambda queue: queue.told(job.id))]


def test_a_kept_answer_lives_as_long_as_its_last_job(brief, consumer, server, keys):
    [job] = put(brief, *new())
    consumer.finish(consumer.take(ALL), [RESULT])
    time.sleep(0.3)
    again = Job(job.work, background=True)
    assert put_upload(brief, again).answered
    wait_until_gone(server, keys.job(job.id))
    assert state(brief, again) == State.DONE and outcome(brief, again) == RESULT
    Keyspace.of(server, keys).check(500)


def test_a_retry_after_the_result_expired_is_a_new_job(brief, consumer, server, keys):
    named = Idempotency("caller:key", "payload")
    first, second = Job(new()[0].work, background=True), Job(new()[0].work, background=True)
    put_upload(brief, first, named)
    consumer.finish(consumer.take(ALL), [RESULT])
    wait_until_gone(server, keys.job(first.id))
    admitted = put_upload(brief, second, named)
    assert (admitted.job, admitted.is_new, admitted.answered) == (second.id, True, False)
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(brief, second) == RESULT


def test_a_retry_of_an_expired_job_is_a_new_job(brief, consumer):
    named = Idempotency("caller:key", "payload")
    first, second = new(2)
    first = Job(first.work, seconds=0.05)
    put_upload(brief, first, named)
    time.sleep(0.06)
    assert put_upload(brief, second, named).job == second.id


@pytest.mark.parametrize("running", [False, True])
def test_work_that_expires_tells_its_client(brief, consumer, server, keys, running):
    [made] = new()
    job = Job(made.work, seconds=0.1, background=True, webhook="https://example.com/")
    put_upload(brief, job)
    leases = consumer.take(ALL) if running else []
    time.sleep(0.11)
    assert sweep(brief)[1] == 1
    told = (
        [State.QUEUED, State.RUNNING, State.EXPIRED] if running else [State.QUEUED, State.EXPIRED]
    )
    assert events(brief, job) == told
    assert server.zscore(keys.hooks, job.id) and not server.exists(keys.upload(job.id))
    assert consumer.finish(leases, [RESULT] * len(leases)) == 0
    with pytest.raises(AnswerTimeout):
        outcome(brief, job)
    Keyspace.of(server, keys).check(500)


def test_a_job_expires_though_its_work_goes_on(brief, consumer, server, keys):
    [patient] = new(background=True)
    hasty = Job(patient.work, seconds=0.05, background=True)
    put_upload(brief, patient)
    put_upload(brief, hasty)
    time.sleep(0.06)
    sweep(brief)
    assert (state(brief, hasty), state(brief, patient)) == (State.EXPIRED, State.QUEUED)
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(brief, patient) == RESULT


def test_old_dead_letters_are_removed_with_their_work(brief, consumer, server, keys):
    [job] = put(brief, *new())
    consumer.bury(consumer.take(ALL)[0], "it kills")
    assert server.xlen(keys.dead) == 1
    wait_until_gone(server, keys.work(job.work.id))
    sweep(brief)
    assert not server.exists(keys.dead, keys.claims(job.work.id))


def test_a_requeued_dead_letter_has_a_new_deadline(brief, consumer, server, keys):
    job = Job(new()[0].work, background=True, seconds=0.3)
    put_upload(brief, job)
    consumer.bury(consumer.take(ALL)[0], "it kills")
    [(letter, _)] = server.xrange(keys.dead)
    time.sleep(0.31)
    assert consumer.requeue(letter.decode())
    sweep(brief)
    Keyspace.of(server, keys).check(500)
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(brief, job) == RESULT and events(brief, job)[-1] == State.DONE


class Walk:
    """Random steps of clients, workers and time."""

    def __init__(self, settings, consumer, server, keys, seed):
        self.settings, self.consumer, self.server, self.keys = settings, consumer, server, keys
        self.random = random.Random(seed)
        self.jobs, self.leases = [], []

    def accept(self, work=None):
        seconds = self.random.choice([0.05, 0.3, 5])
        lane = self.random.choice(list(Lane))
        job = Job(work or new()[0].work, seconds=seconds, background=True, lane=lane)
        key = Idempotency(f"key{self.random.randrange(3)}", "payload")
        put_upload(self.settings, job, self.random.choice([None, key]))
        self.jobs.append(job)

    def join(self):
        self.accept(self.random.choice(self.jobs).work if self.jobs else None)

    def take(self):
        self.leases += self.consumer.take([(Lane.INTERACTIVE, 2), (Lane.BATCH, 3)])

    def finish(self):
        if self.leases:
            ending = self.random.choice([RESULT, RESULT, Failure("bad luck")])
            self.consumer.finish([self.leases.pop()], [ending])

    def bury(self):
        if self.leases:
            self.consumer.bury(self.leases.pop(), "x", infrastructure=self.random.random() < 0.5)

    def requeue(self):
        for letter, _ in self.server.xrange(self.keys.dead, count=1):
            self.consumer.requeue(letter.decode())

    def cancel(self):
        job = self.random.choice(self.jobs) if self.jobs else None

        async def cancel(queue):
            with suppress(NoSuchJob):
                await queue.cancel(job.id, forget=self.random.random() < 0.5)

        if job:
            with_queue(self.settings, cancel)

    def wait(self):
        time.sleep(self.random.choice([0.01, 0.06, 0.2]))

    def step(self):
        steps = [self.accept, self.join, self.take, self.finish, self.bury, self.requeue]
        self.random.choice([*steps, self.finish, self.cancel, self.wait])()
        sweep(self.settings)
        Keyspace.of(self.server, self.keys).check(500)


@pytest.mark.parametrize("seed", range(4))
def test_no_two_keys_part_whatever_happens(brief, consumer, server, keys, seed):
    walk = Walk(brief, consumer, server, keys, seed)
    for _ in range(60):
        walk.step()
    walk.consumer.finish(walk.leases, [RESULT] * len(walk.leases))


def test_in_the_end_nothing_but_counters_is_left(brief, consumer, server, keys):
    job = Job(new()[0].work, background=True, seconds=5)
    put_upload(brief, job)
    consumer.finish(consumer.take(ALL), [RESULT])
    wait_until_gone(server, keys.job(job.id))
    sweep(brief)
    left = set(Keyspace.of(server, keys).values)
    assert left <= {"metrics", "jobs", "jobs:batch"} < LASTING
    assert [server.xlen(keys.lane(lane)) for lane in Lane] == [0, 0]


def test_a_finished_job_leaves_few_bytes(settings, server, keys):
    consumer = Consumer(settings)
    consumer.join()

    def total():
        names = server.scan_iter(f"{keys.prefix}*")
        lasting = {f"{keys.prefix}{name}".encode() for name in ("metrics", "jobs", "jobs:batch")}
        return sum(server.memory_usage(name, samples=0) for name in names if name not in lasting)

    job = Job(new()[0].work, background=True, seconds=5)
    put_upload(settings, job)
    waiting = total()
    consumer.finish(consumer.take(ALL), [RESULT])
    charged = int(server.hget(keys.storage_bytes, job.account))
    assert len(PICTURE) + 12_288 < waiting < charged + 4096
    assert len(PICTURE) + 3072 < total() < len(PICTURE) + 3072 + 8192
