"""How much the draws for one picture differ."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from training.evaluation.measurement import Measurement, measured
from training.metrics.diversity import distances, mean_distance
from training.metrics.images import bootstrap_interval
from training.metrics.mobilenet import feature_distance


def diversity_of_draws(
    data: str, draws: Tensor, real: Tensor, network: str = "", seed: int = 0
) -> Measurement:
    """Distance between draws over the distance between real centres.

    Args:
        data: what to call the pictures.
        draws: features of K draws of M pictures, `(K, M, D)`, K at least 2.
        real: of the real centres of the set, `(N, D)`.
        network: that saw them.
        seed: of the resamples.
    """
    pairs = [feature_distance(draws[a], draws[b]) for a, b in combinations(range(len(draws)), 2)]
    made, apart = torch.stack(pairs).mean(0), mean_distance(distances(real))
    return measured(
        "diversity",
        data,
        bootstrap_interval(made / apart, seed),
        f"{draws.shape[1]:,} pictures, {len(draws)} draws; {len(real):,} real centres",
        network=network,
        beside={"distance of draws": float(made.mean()), "of real centres": apart},
    )
