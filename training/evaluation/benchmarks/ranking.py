"""Ranking: whether the fill that the bundle's scorer ranks first is better, by a separate judge."""

from __future__ import annotations

import torch
from torch import Tensor

from training.evaluation.benchmarks.captions import r_precision
from training.evaluation.context import EvalContext
from training.evaluation.measurement import Measurement, from_interval, not_measured
from training.metrics.confidence import bootstrap_interval
from training.scorers.judge import Judge
from training.scorers.precision import RANKING_SIZE

NUM_CANDIDATES = 8
MEASURES = ("ranking", "ranking_precision")


def ranking(
    context: EvalContext, judge: Judge, samples: Tensor, features: Tensor
) -> list[Measurement]:
    """Compare the fill that is ranked first with random ones.

    Args:
        context: the bundle on a set.
        judge: the separate scorer.
        samples: fills of `sampled_rows`, uint8 `(K, M, 3, 32, 32)`.
        features: of the first few of them, `(k, M, D)`.
    """
    if context.bundle.scorer is None or context.extractor is None:
        return [not_measured(m, context.name, "the bundle carries no scorer") for m in MEASURES]
    first = context.extractor(first_ranked(context, samples[:NUM_CANDIDATES]), context.batch_size)
    vectors = context.pictures.vectors[context.sampled_rows]
    return compare_ranked(context.name, judge, first, features, vectors, seed=context.seed)


def first_ranked(context: EvalContext, samples: Tensor) -> Tensor:
    """Return the fill of each picture that the bundle scores highest, `(M, 3, 32, 32)`."""
    pictures = context.pictures.gather(context.sampled_rows)
    scores = [
        context.inpainter.score_batch(pictures.composites(fills), pictures.vectors)
        for fills in samples
    ]
    return samples[torch.stack(scores).argmax(0), torch.arange(len(pictures))]


@torch.inference_mode()
def compare_ranked(
    data: str, judge: Judge, first: Tensor, others: Tensor, vectors: Tensor, *, seed: int = 0
) -> list[Measurement]:
    """Compare the judge's scores of the fills ranked first and of random ones.

    Args:
        data: name of the set.
        judge: the separate scorer.
        first: features of the fills ranked first, `(M, D)`.
        others: features of random fills, `(k, M, D)`.
        vectors: of the captions, `(M, caption_dim)`.
        seed: of partitions and resamples.
    """
    scorer = judge.scorer

    def difference(measure: str, ranked: Tensor, random: Tensor) -> Measurement:
        return from_interval(
            measure,
            data,
            bootstrap_interval(ranked - random, seed),
            f"{len(ranked):,} pictures, {NUM_CANDIDATES} candidates",
            network=f"the judge, {judge.digest}",
            details={"first ranked": float(ranked.mean()), "a random one": float(random.mean())},
        )

    score, precision = MEASURES
    random = torch.stack([scorer(other, vectors) for other in others]).mean(0)
    by_score = difference(score, scorer(first, vectors), random)
    if len(vectors) < RANKING_SIZE:
        return [by_score, not_measured(precision, data, f"needs {RANKING_SIZE} pictures")]
    random = torch.stack([r_precision(scorer, other, vectors, seed) for other in others]).mean(0)
    return [by_score, difference(precision, r_precision(scorer, first, vectors, seed), random)]
