"""Whether the caption helps, and whether it steers."""

from __future__ import annotations

import torch
from torch import Tensor

from models.frozen.scorers import Scorer
from training.evaluation.context import Seen
from training.evaluation.measurement import Measurement, measured, unmeasured
from training.metrics.confidence import bootstrap_ratio
from training.metrics.mobilenet import feature_distance
from training.scorers.train import RANKING_SIZE, ranks_own_first

PARTITIONS = 20  # how often pictures are dealt into hundreds


def captions_help(data: str, seen: Seen, network: str = "", seed: int = 0) -> Measurement:
    """How much nearer to the real centre the true caption brings the fill, in per cent."""
    true, wrong = (feature_distance(some, seen.real) for some in (seen.true[0], seen.wrong))
    gain = bootstrap_ratio(100 * (wrong - true), wrong, seed)
    beside = {"distance, true": float(true.mean()), "wrong": float(wrong.mean())}
    counted = f"{len(true):,} pairs"
    return measured("captions_help", data, gain, counted, network=network, beside=beside)


def captions_steer(
    data: str, scorer: Scorer, seen: Seen, vectors: Tensor, *, network: str = "", seed: int = 0
) -> Measurement:
    """How far captions take the judge from its floor to its ceiling.

    Args:
        data: what to call the pictures.
        scorer: the judge's.
        seen: what it sees.
        vectors: of the captions, `(N, D)`.
        network: who judges.
        seed: of the partitions and resamples.
    """
    if len(vectors) < RANKING_SIZE:
        return unmeasured("captions_steer", data, f"needs {RANKING_SIZE} pictures")
    true, none = (
        torch.stack([precision(scorer, draw, vectors, seed) for draw in draws]).mean(0)
        for draws in (seen.true, seen.none)
    )
    ceiling = precision(scorer, seen.real, vectors, seed)
    if ceiling.mean() <= none.mean():
        return unmeasured("captions_steer", data, "the judge knows no more of real centres")
    way = bootstrap_ratio(true - none, ceiling - none, seed)
    ends = {"R-precision@1, true": true, "no caption (floor)": none, "real (ceiling)": ceiling}
    beside = {name: float(some.mean()) for name, some in ends.items()}
    counted = f"{len(vectors):,} pictures, 2 draws, {PARTITIONS} partitions"
    return measured("captions_steer", data, way, counted, network=network, beside=beside)


@torch.inference_mode()
def precision(scorer: Scorer, seen: Tensor, vectors: Tensor, seed: int = 0) -> Tensor:
    """R-precision@1 of 100 of each picture, over partitions into hundreds.

    Args:
        scorer: the judge's.
        seen: features of centres, `(N, D)`, N at least 100.
        vectors: of their captions.
        seed: of the partitions.

    Returns:
        float64 `(N,)`, 0 to 1: of the hundreds that a picture was in, in how many its own
        caption came first.
    """
    pictures, read = scorer.encode_images(seen), scorer.encode_captions(vectors)
    count, rng = len(seen), torch.Generator().manual_seed(seed)
    hits, dealt = torch.zeros(count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64)
    for _ in range(PARTITIONS):
        order = torch.randperm(count, generator=rng)
        for rows in order[: count // RANKING_SIZE * RANKING_SIZE].split(RANKING_SIZE):
            hits[rows] += ranks_own_first(pictures[rows], read[rows], vectors[rows]).double()
            dealt[rows] += 1
    return hits / dealt.clamp_min(1)
