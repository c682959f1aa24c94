"""95% confidence intervals: bootstrap of means and ratios, Wilson's interval of shares."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from torch import Tensor

Z_975 = 1.959964  # the 97.5% point of the standard normal distribution
RESAMPLES = 2000
CHUNK_VALUES = 1_000_000  # drawn at a time


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95% interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the mean with its interval, three decimals."""
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap_interval(values: Tensor, seed: int = 0) -> Interval:
    """Mean of `values` `(N,)` and the 95% percentile-bootstrap interval of that mean."""
    sample = values.double().numpy()
    rng = np.random.default_rng(seed)
    # Many at a time, for speed, but never more than some megabytes.
    parts = np.array_split(np.arange(RESAMPLES), 1 + RESAMPLES * len(sample) // CHUNK_VALUES)
    means = [rng.choice(sample, size=(len(part), len(sample))).mean(1) for part in parts]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return Interval(float(sample.mean()), float(low), float(high))


def bootstrap_ratio(numerator: Tensor, denominator: Tensor, seed: int = 0) -> Interval:
    """Return mean(numerator) / mean(denominator) and its percentile-bootstrap interval.

    Both are float `(N,)`, one an image, and are resampled together. Where the denominator's mean is
    0 in the sample or a resample, the ratio is NaN.
    """
    pairs = np.stack([numerator.double().numpy(), denominator.double().numpy()])
    count = pairs.shape[1]
    weights = np.random.default_rng(seed).multinomial(
        count, np.full(count, 1 / count), size=RESAMPLES
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = weights @ pairs.T
        low, high = np.nanpercentile(sums[:, 0] / sums[:, 1], [2.5, 97.5])
        mean = float(np.divide(pairs[0].mean(), pairs[1].mean()))
    return Interval(mean, float(low), float(high))


def wilson_interval(successes: float, count: int) -> Interval:
    """Return a share and its score interval (Wilson 1927); ties count as half a success."""
    share, square = successes / count, Z_975**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z_975 * sqrt(share * (1 - share) / count + square / (4 * count**2))
    half /= 1 + square / count
    return Interval(share, middle - half, middle + half)


def win_rate(first: Tensor, second: Tensor) -> Interval:
    """Return the share of pairs whose first is higher, with Wilson's interval."""
    scores = (first > second).double() + (first == second).double() / 2
    return wilson_interval(float(scores.sum()), len(first))
