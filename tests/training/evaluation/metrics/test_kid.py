import pytest

from tests.training.evaluation.metrics.images import samples
from training.evaluation.metrics.kid import kid, squared_mmd


def test_squared_mmd_is_the_papers_estimator_written_out():
    first, second = samples(6), samples(6, seed=1)

    def kernel(a, b):
        return (float(a @ b) / 8 + 1) ** 3

    pairs = [(i, j) for i in range(6) for j in range(6)]
    within = sum(kernel(x[i], x[j]) for x in (first, second) for i, j in pairs if i != j) / 30
    across = sum(kernel(first[i], second[j]) for i, j in pairs) / 36
    assert squared_mmd(first, second) == pytest.approx(within - 2 * across, rel=1e-4)


def test_kid_of_equal_distributions_is_near_zero():
    reference = samples(400)
    same, shifted = kid(samples(400, seed=1), reference), kid(samples(400, 0.5), reference)
    assert abs(same.mean) < same.spread
    assert shifted.mean > 5 * shifted.spread


def test_kid_does_not_reward_resembling_the_own_original():
    reference = samples(400)
    assert abs(kid(reference, reference).mean) < kid(reference, reference).spread


def test_kid_depends_on_its_seed_alone():
    first, second = samples(20), samples(20, seed=1)
    assert kid(first, second, seed=3) == kid(first, second, seed=3) != kid(first, second, seed=4)
