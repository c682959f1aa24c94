import pytest

from service.queue.jobs import Priority
from service.queue.task import InferenceTask
from service.worker.batching import FAIR_SHARE, Batcher


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def sizes(limit, *counts):
    works = [InferenceTask(b"", "", 0, count) for count in counts]
    batches = Batcher(limit, 10, Clock()).batches(works)
    return [[work.count for work in batch] for batch in batches]


@pytest.mark.parametrize(
    ("counts", "batches"),
    [([1, 1, 1], [[1, 1, 1]]), ([1] * 6, [[1] * 4, [1] * 2]), ([3, 2, 1], [[3], [2, 1]]),
     ([8], [[8]]), ([1, 8, 1], [[1], [8], [1]]), ([], [])],
)  # fmt: skip
def test_batches_hold_at_most_the_limit_in_order(counts, batches):
    assert sizes(4, *counts) == batches


def test_a_new_worker_looks_for_dead_ones_first():
    assert Batcher(4, 10, Clock()).retake_due()


def test_after_a_find_the_next_poll_is_immediate():
    policy = Batcher(4, 10, Clock())
    policy.retook(1)
    assert policy.retake_due()


@pytest.mark.parametrize(("lease", "pause"), [(1.0, 0.5), (10, 1.0)])
def test_poll_interval_is_half_a_lease_or_second(lease, pause):
    clock = Clock()
    policy = Batcher(4, lease, clock)
    policy.retook(0)
    clock.now += pause - 0.1
    early = policy.retake_due()
    clock.now += 0.2
    assert not early and policy.retake_due()


def test_patience_never_runs_past_the_next_look():
    clock = Clock()
    policy = Batcher(4, 10, clock)
    policy.retook(0)
    clock.now += 0.75
    assert policy.patience() == pytest.approx(0.25)


def test_interactive_first_then_batch_tasks_fill_the_rest():
    assert Batcher(4, 10, Clock()).turns() == [(Priority.INTERACTIVE, 4), (Priority.BATCH, 4)]


def test_after_enough_interactive_work_batch_gets_a_slot():
    policy = Batcher(4, 10, Clock())
    for _ in range(FAIR_SHARE // 4):
        policy.took([Priority.INTERACTIVE] * 4)
    assert policy.turns()[0] == (Priority.BATCH, 1)
    policy.took([Priority.BATCH, Priority.INTERACTIVE])
    assert policy.turns()[0] == (Priority.INTERACTIVE, 4)


def test_a_turn_that_nobody_wanted_is_over():
    policy = Batcher(4, 10, Clock())
    policy.took([Priority.INTERACTIVE] * FAIR_SHARE)
    policy.took([Priority.INTERACTIVE] * 4)
    assert policy.turns()[0] == (Priority.INTERACTIVE, 4)
