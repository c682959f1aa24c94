import pytest

from service.queue.jobs import Priority
from service.queue.task import WINDOW_BYTES, InferenceTask
from service.worker.batching import FAIR_SHARE, Batcher


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def sizes(limit, *counts):
    tasks = [InferenceTask(bytes(WINDOW_BYTES), "", 0, count) for count in counts]
    batches = Batcher(limit, 10, Clock()).batches(tasks)
    return [[task.count for task in batch] for batch in batches]


@pytest.mark.parametrize(
    ("counts", "batches"),
    [([1, 1, 1], [[1, 1, 1]]), ([1] * 6, [[1] * 4, [1] * 2]), ([3, 2, 1], [[3], [2, 1]]),
     ([8], [[8]]), ([1, 8, 1], [[1], [8], [1]]), ([], [])],
)  # fmt: skip
def test_batches_hold_at_most_the_limit_in_order(counts, batches):
    assert sizes(4, *counts) == batches


def test_a_new_worker_looks_for_dead_ones_first():
    assert Batcher(4, 10, Clock()).reclaim_due()


def test_after_a_find_the_next_poll_is_immediate():
    policy = Batcher(4, 10, Clock())
    policy.record_reclaim(1)
    assert policy.reclaim_due()


@pytest.mark.parametrize(("lease", "pause"), [(1.0, 0.5), (10, 1.0)])
def test_poll_interval_is_half_a_lease_or_second(lease, pause):
    clock = Clock()
    policy = Batcher(4, lease, clock)
    policy.record_reclaim(0)
    clock.now += pause - 0.1
    early = policy.reclaim_due()
    clock.now += 0.2
    assert not early and policy.reclaim_due()


def test_patience_never_runs_past_the_next_look():
    clock = Clock()
    policy = Batcher(4, 10, clock)
    policy.record_reclaim(0)
    clock.now += 0.75
    assert policy.poll_timeout() == pytest.approx(0.25)


def test_interactive_first_then_batch_tasks_fill_the_rest():
    assert Batcher(4, 10, Clock()).read_order() == [(Priority.INTERACTIVE, 4), (Priority.BATCH, 4)]


def test_after_enough_interactive_work_batch_gets_a_slot():
    policy = Batcher(4, 10, Clock())
    for _ in range(FAIR_SHARE // 4):
        policy.record([Priority.INTERACTIVE] * 4)
    assert policy.read_order()[0] == (Priority.BATCH, 1)
    policy.record([Priority.BATCH, Priority.INTERACTIVE])
    assert policy.read_order()[0] == (Priority.INTERACTIVE, 4)


def test_a_turn_that_nobody_wanted_is_over():
    policy = Batcher(4, 10, Clock())
    policy.record([Priority.INTERACTIVE] * FAIR_SHARE)
    policy.record([Priority.INTERACTIVE] * 4)
    assert policy.read_order()[0] == (Priority.INTERACTIVE, 4)
