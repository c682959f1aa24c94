"""Spearman's rank correlation with a permutation test and a bootstrap interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import permutation_test, rankdata

from training.common.errors import RunError

RESAMPLES = 5000
MIN_FOR_INTERVAL = 5


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's ρ.

    Attributes:
        rho: -1 to 1.
        p: two-sided, by permutation: exact for up to six points, else of 5000 permutations. It
            takes the points for independent, which those along a run are not.
        low: of the 95% percentile-bootstrap interval over the points; None of fewer than five,
            whose resamples are mostly copies of each other.
        high: of it.
        points: how many.
    """

    rho: float
    p: float
    low: float | None
    high: float | None
    points: int


def spearman(first: Sequence[float], second: Sequence[float], seed: int = 0) -> RankCorrelation:
    """Correlate the ranks of two series of the same length; `seed` is of all resamples.

    Raises:
        RunError: fewer than three points, or a series that never changes.
    """
    if len(first) < 3 or min(len(set(first)), len(set(second))) < 2:
        raise RunError("a rank correlation needs three points or more, and series that change")
    x, y = np.asarray(first, float), np.asarray(second, float)
    found = permutation_test(
        (x,),
        lambda permuted, axis: rho(permuted, y),
        vectorized=True,  # a call a permutation takes seconds
        permutation_type="pairings",
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    low = high = None
    if len(x) >= MIN_FOR_INTERVAL:
        rows = np.random.default_rng(seed).integers(len(x), size=(RESAMPLES, len(x)))
        low, high = np.nanpercentile(rho(x[rows], y[rows]), [2.5, 97.5]).tolist()
    return RankCorrelation(float(found.statistic), float(found.pvalue), low, high, len(x))


def rho(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Spearman's ρ along the last axis: Pearson's of the ranks, ties sharing theirs.

    NaN where a series never changes.
    """
    ranks = (rankdata(series, axis=-1) for series in (first, second))
    x, y = (values - values.mean(-1, keepdims=True) for values in ranks)
    with np.errstate(invalid="ignore"):
        found: np.ndarray = (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    return found
