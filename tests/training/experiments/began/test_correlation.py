import numpy as np
import pytest

from training.common.errors import RunError
from training.experiments.began.correlation import spearman


def test_rising_curve_has_correlation_1_and_exact_p():
    found = spearman([1, 2, 3, 4], [1, 10, 100, 1000])
    assert found.rho == pytest.approx(1)
    assert found.p == pytest.approx(2 / 24)  # one of the 24 orders, on either side
    assert found.low is None  # of four points


def test_falling_curve_with_one_swap_matches_hand_calculation():
    # Ranks 5 3 4 2 1 against 1 to 5: Σd² = 38, ρ = 1 - 6·38 / (5·24).
    assert spearman([1, 2, 3, 4, 5], [9, 5, 6, 3, 1]).rho == pytest.approx(-0.9)


def test_what_does_not_belong_together_is_not_correlated():
    draws = np.random.default_rng(3)
    found = spearman(draws.normal(size=20).tolist(), draws.normal(size=20).tolist())
    assert found.low < 0 < found.high
    assert found.p > 0.05


@pytest.mark.parametrize("second", [[1, 2], [4, 4, 4]])
def test_too_few_points_and_constants_have_no_correlation(second):
    with pytest.raises(RunError, match="three points"):
        spearman([1, 2, 3][: len(second)], second)
