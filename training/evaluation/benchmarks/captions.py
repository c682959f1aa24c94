"""Captions: whether the true one improves the fill, and whether captions steer it."""

from __future__ import annotations

import torch
from torch import Tensor

from models.frozen.scorers import Scorer
from training.evaluation.context import CentreFeatures
from training.evaluation.measurement import Measurement, from_interval, not_measured
from training.metrics.confidence import bootstrap_ratio
from training.metrics.mobilenet import feature_distance
from training.scorers.precision import RANKING_SIZE, ranks_own_first

PARTITIONS = 20  # how often pictures are split into hundreds


def captions_help(
    data: str, centres: CentreFeatures, network: str = "", seed: int = 0
) -> Measurement:
    """Measure how much nearer to the real centre the true caption brings the fill, in per cent."""
    true, wrong = (
        feature_distance(fills, centres.real) for fills in (centres.true[0], centres.wrong)
    )
    gain = bootstrap_ratio(100 * (wrong - true), wrong, seed)
    details = {"distance, true": float(true.mean()), "wrong": float(wrong.mean())}
    counted = f"{len(true):,} pairs"
    return from_interval("captions_help", data, gain, counted, network=network, details=details)


def captions_steer(
    data: str,
    scorer: Scorer,
    centres: CentreFeatures,
    vectors: Tensor,
    *,
    network: str = "",
    seed: int = 0,
) -> Measurement:
    """Measure how far captions raise the judge's R-precision from its floor to its ceiling.

    Args:
        data: name of the set.
        scorer: of the judge.
        centres: features of fills and real centres.
        vectors: of the captions, `(N, D)`.
        network: name of the judge.
        seed: of the partitions and resamples.
    """
    measure = "captions_steer"
    if len(vectors) < RANKING_SIZE:
        return not_measured(measure, data, f"needs {RANKING_SIZE} pictures")
    true, none = (
        torch.stack([r_precision(scorer, sample, vectors, seed) for sample in samples]).mean(0)
        for samples in (centres.true, centres.none)
    )
    ceiling = r_precision(scorer, centres.real, vectors, seed)
    if ceiling.mean() <= none.mean():
        return not_measured(measure, data, "the judge knows no more of real centres")
    share = bootstrap_ratio(true - none, ceiling - none, seed)
    parts = {"R-precision@1, true": true, "no caption (floor)": none, "real (ceiling)": ceiling}
    details = {name: float(values.mean()) for name, values in parts.items()}
    counted = f"{len(vectors):,} pictures, 2 draws, {PARTITIONS} partitions"
    return from_interval(measure, data, share, counted, network=network, details=details)


@torch.inference_mode()
def r_precision(scorer: Scorer, features: Tensor, vectors: Tensor, seed: int = 0) -> Tensor:
    """Return each picture's R-precision@1 of 100, over partitions of the set into hundreds.

    Args:
        scorer: of the judge.
        features: of centres, `(N, D)`, N at least 100.
        vectors: of their captions.
        seed: of the partitions.

    Returns:
        float64 `(N,)`, 0 to 1: in how many of its hundreds the picture's own caption came first.
    """
    pictures, captions = scorer.encode_images(features), scorer.encode_captions(vectors)
    count, rng = len(features), torch.Generator().manual_seed(seed)
    hits, trials = (torch.zeros(count, dtype=torch.float64) for _ in range(2))
    for _ in range(PARTITIONS):
        order = torch.randperm(count, generator=rng)
        for rows in torch.split(order[: count // RANKING_SIZE * RANKING_SIZE], RANKING_SIZE):
            hits[rows] += ranks_own_first(pictures[rows], captions[rows], vectors[rows]).double()
            trials[rows] += 1
    return hits / trials.clamp_min(1)
