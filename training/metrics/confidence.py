"""Intervals of shares and of ratios, 95% each."""

from __future__ import annotations

from math import sqrt

import numpy as np
from torch import Tensor

from training.metrics.images import Interval

NORMAL = 1.959964  # the 97.5% point of the standard normal distribution
RESAMPLES = 2000


def wins(higher: Tensor, lower: Tensor) -> Tensor:
    """Tell of each pair whether the first is higher, `(N,)` float64; a tie is half a win."""
    return (higher > lower).double() + (higher == lower).double() / 2


def wilson(won: float, count: int) -> Interval:
    """Return a share and its score interval (Wilson 1927); `won` may hold halves, of ties."""
    share, square = won / count, NORMAL**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL * sqrt(share * (1 - share) / count + square / (4 * count**2))
    half /= 1 + square / count
    return Interval(share, middle - half, middle + half)


def share_won(higher: Tensor, lower: Tensor) -> Interval:
    """Return the share of pairs whose first is higher, with Wilson's interval."""
    return wilson(float(wins(higher, lower).sum()), len(higher))


def told(share: Interval) -> str:
    """A share and its interval in words."""
    return f"{share.mean:.3f} [{share.low:.3f}, {share.high:.3f}]"


def bootstrap_ratio(above: Tensor, below: Tensor, seed: int = 0) -> Interval:
    """Return mean(above) / mean(below) and its percentile-bootstrap interval.

    Args:
        above: float `(N,)`, one a picture.
        below: the same pictures'; both are resampled together. Where its mean is 0 in the
            sample or a resample, there the ratio is not a number.
        seed: of the resamples.
    """
    pairs = np.stack([above.double().numpy(), below.double().numpy()])
    count = pairs.shape[1]
    drawn = np.random.default_rng(seed).multinomial(
        count, np.full(count, 1 / count), size=RESAMPLES
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = drawn @ pairs.T
        low, high = np.nanpercentile(sums[:, 0] / sums[:, 1], [2.5, 97.5])
        middle = float(np.divide(pairs[0].mean(), pairs[1].mean()))
    return Interval(middle, float(low), float(high))
