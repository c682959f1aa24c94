"""How different a system's pictures are from each other, beside the real ones."""

import numpy as np
from scipy.spatial.distance import pdist, squareform
from torch import Tensor

from training.common.errors import RunError
from training.metrics.images import Interval

RESAMPLES = 1000
DIVERSITY = (
    "mean Euclidean distance between the features of all pairs of generated pictures, divided by "
    "the same mean of as many real ones: 0 is one picture over and over, 1 as diverse as the real "
    "ones; of a system that fills holes, the fills alone are compared (32×32), since around them "
    "all is real; 95% bootstrap interval over the pictures of both sides"
)


def diversity(
    features: Tensor, reference: Tensor, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Return the mean pairwise distance of generated pictures over that of real ones.

    Args:
        features: float `(N, D)` of the generated pictures, N at least 2.
        reference: float `(M, D)` of the real ones, M at least 2.
        seed: of the resamples of the interval.
        resamples: how many, each drawing pictures of either side with replacement.

    Raises:
        RunError: fewer than two pictures, or the real ones are all alike.
    """
    if min(len(features), len(reference)) < 2:
        raise RunError("diversity needs at least two pictures a side")
    made, real = distances(features), distances(reference)
    if not real.any():
        raise RunError("the real pictures are all alike: there is no diversity to compare with")
    draws = np.random.default_rng(seed)
    ratios = resampled(made, resamples, draws) / resampled(real, resamples, draws)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return Interval(mean_distance(made) / mean_distance(real), float(low), float(high))


def distances(features: Tensor) -> np.ndarray:
    """Return the Euclidean distances between all of `(N, D)`, float64 `(N, N)`."""
    square: np.ndarray = squareform(pdist(features.double().numpy()))
    return square


def mean_distance(square: np.ndarray) -> float:
    """Return the mean over all pairs of different pictures of distances `(N, N)`."""
    count = len(square)
    return float(square.sum() / (count * (count - 1)))


def resampled(square: np.ndarray, resamples: int, draws: np.random.Generator) -> np.ndarray:
    """Return the mean distance of each of so many resamples of the pictures.

    A picture drawn twice is no pair: its distance of 0 is nobody's diversity.
    """
    count = len(square)
    drawn = draws.multinomial(count, np.full(count, 1 / count), size=resamples).astype(float)
    pairs = count**2 - (drawn**2).sum(1)
    # Of two pictures alone, one may be drawn twice; such a resample says nothing.
    usable = pairs > 0
    summed = ((drawn @ square) * drawn).sum(1)
    return np.where(usable, summed / np.where(usable, pairs, 1), mean_distance(square))
