"""Diversity: how different generated images are from each other, relative to real ones."""

import numpy as np
from scipy.spatial.distance import pdist, squareform
from torch import Tensor

from training.common.errors import RunError
from training.evaluation.metrics.confidence import Interval

RESAMPLES = 1000


def diversity(features: Tensor, reference: Tensor, seed: int = 0) -> Interval:
    """Return the mean pairwise distance of generated images divided by that of real ones.

    The interval is of resamples that draw images of either side with replacement.

    Args:
        features: float `(N, D)` of the generated images, N at least 2.
        reference: float `(M, D)` of the real ones, M at least 2.
        seed: of the resamples.

    Raises:
        RunError: fewer than two images, or the real ones are all alike.
    """
    if min(len(features), len(reference)) < 2:
        raise RunError("diversity needs at least two pictures a side")
    generated, real = pairwise_distances(features), pairwise_distances(reference)
    if not real.any():
        raise RunError("the real pictures are all alike: there is no diversity to compare with")
    rng = np.random.default_rng(seed)
    ratios = resampled_means(generated, rng) / resampled_means(real, rng)
    low, high = np.percentile(ratios, [2.5, 97.5])
    ratio = mean_pairwise_distance(generated) / mean_pairwise_distance(real)
    return Interval(ratio, float(low), float(high))


def pairwise_distances(features: Tensor) -> np.ndarray:
    """Return the Euclidean distances between all rows of `(N, D)`, float64 `(N, N)`."""
    matrix: np.ndarray = squareform(pdist(features.double().numpy()))
    return matrix


def mean_pairwise_distance(matrix: np.ndarray) -> float:
    """Return the mean over all pairs of different images of distances `(N, N)`."""
    count = len(matrix)
    return float(matrix.sum() / (count * (count - 1)))


def resampled_means(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the mean pairwise distance of each bootstrap resample of the images.

    An image that was drawn twice is no pair: its distance of 0 says nothing of diversity.
    """
    count = len(matrix)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(float)
    pairs = count**2 - (weights**2).sum(1)
    # With two images, a resample may hold one of them twice: it has no pair.
    usable = pairs > 0
    sums = ((weights @ matrix) * weights).sum(1)
    return np.where(usable, sums / np.where(usable, pairs, 1), mean_pairwise_distance(matrix))
