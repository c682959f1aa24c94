"""Diversity: how much the samples of one picture differ."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from training.evaluation.measurement import Measurement, from_interval
from training.metrics.confidence import bootstrap_interval
from training.metrics.diversity import mean_pairwise_distance, pairwise_distances
from training.metrics.mobilenet import feature_distance


def sample_diversity(
    data: str, samples: Tensor, real: Tensor, network: str = "", seed: int = 0
) -> Measurement:
    """Measure the distance between samples divided by the distance between real centres.

    Args:
        data: name of the set.
        samples: features of K samples of M pictures, `(K, M, D)`, K at least 2.
        real: features of the real centres of the set, `(N, D)`.
        network: name of the feature network.
        seed: of the resamples.
    """
    pairs = combinations(range(len(samples)), 2)
    distance = torch.stack([feature_distance(samples[a], samples[b]) for a, b in pairs]).mean(0)
    real_distance = mean_pairwise_distance(pairwise_distances(real))
    return from_interval(
        "diversity",
        data,
        bootstrap_interval(distance / real_distance, seed),
        f"{samples.shape[1]:,} pictures, {len(samples)} draws; {len(real):,} real centres",
        network=network,
        details={
            "distance of draws": float(distance.mean()),
            "of real centres": real_distance,
        },
    )
