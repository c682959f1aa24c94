import pytest

from service.batcher import Batcher
from service.jobs import Job


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def jobs(*counts):
    return [Job(str(i), b"", "", 0, count) for i, count in enumerate(counts)]


def sizes(limit, *counts):
    batches = Batcher(limit, 10, Clock()).batches(jobs(*counts))
    return [[job.count for job in batch] for batch in batches]


@pytest.mark.parametrize(
    ("counts", "batches"),
    [([1, 1, 1], [[1, 1, 1]]), ([1] * 6, [[1] * 4, [1] * 2]), ([3, 2, 1], [[3], [2, 1]]),
     ([8], [[8]]), ([1, 8, 1], [[1], [8], [1]]), ([], [])],
)  # fmt: skip
def test_batches_hold_at_most_the_limit_in_order(counts, batches):
    assert sizes(4, *counts) == batches


def test_a_new_worker_looks_for_dead_ones_first():
    assert Batcher(4, 10, Clock()).retake_due()


def test_after_a_find_the_next_look_is_at_once():
    policy = Batcher(4, 10, Clock())
    policy.retook(1)
    assert policy.retake_due()


def test_after_an_empty_look_the_next_is_half_a_lease_later():
    clock = Clock()
    policy = Batcher(4, 10, clock)
    policy.retook(0)
    clock.now += 4.9
    early = policy.retake_due()
    clock.now += 0.2
    assert not early and policy.retake_due()


def test_patience_never_runs_past_the_next_look():
    clock = Clock()
    policy = Batcher(4, 10, clock)
    policy.retook(0)
    clock.now += 4.75
    assert policy.patience() == pytest.approx(0.25)
