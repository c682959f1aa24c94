"""Shares and ratios with their intervals."""

import pytest
import torch
from scipy.stats import binomtest

from training.metrics.confidence import bootstrap_ratio, share_won, wilson


@pytest.mark.parametrize(("won", "count"), [(0, 7), (30, 40), (500, 1000)])
def test_score_interval_equals_that_of_scipy(won, count):
    ours, theirs = wilson(won, count), binomtest(won, count).proportion_ci(method="wilson")
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=1e-6)


def test_a_tie_is_half_a_win():
    share = share_won(torch.tensor([1.0, 2, 3, 4]), torch.tensor([1.0, 2, 3, 0]))
    assert share.mean == pytest.approx((3 / 2 + 1) / 4)


def test_ratio_is_of_means_within_its_interval():
    draws = torch.Generator().manual_seed(0)
    below = torch.rand(500, generator=draws) + 1
    ratio = bootstrap_ratio(below / 2 + torch.randn(500, generator=draws) / 10, below)
    assert ratio.low < 0.5 < ratio.high
    assert ratio.high - ratio.low < 0.05
