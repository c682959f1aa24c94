"""Shares and ratios with their intervals."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from tests.training.evaluation.metrics.images import samples
from training.evaluation.metrics.confidence import (
    bootstrap_interval,
    bootstrap_ratio,
    wilson_interval,
    win_rate,
)


@pytest.mark.parametrize(("won", "count"), [(0, 7), (30, 40), (500, 1000)])
def test_score_interval_equals_that_of_scipy(won, count):
    ours, theirs = wilson_interval(won, count), binomtest(won, count).proportion_ci(method="wilson")
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=1e-6)


def test_a_tie_is_half_a_win():
    share = win_rate(torch.tensor([1.0, 2, 3, 4]), torch.tensor([1.0, 2, 3, 0]))
    assert share.mean == pytest.approx((3 / 2 + 1) / 4)


def test_ratio_is_of_means_within_its_interval():
    draws = torch.Generator().manual_seed(0)
    below = torch.rand(500, generator=draws) + 1
    ratio = bootstrap_ratio(below / 2 + torch.randn(500, generator=draws) / 10, below)
    assert ratio.low < 0.5 < ratio.high
    assert ratio.high - ratio.low < 0.05


def test_bootstrap_interval_holds_the_mean_and_narrows():
    few, many = (bootstrap_interval(samples(n)[:, 0]) for n in (20, 2000))
    assert few.low < few.mean < few.high
    assert many.high - many.low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.15)
