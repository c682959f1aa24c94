"""Captions: whether the true one improves the fill, steers it, and ranks candidates well."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from training.evaluation.benchmarks.context import NUM_CANDIDATES, EvalContext
from training.evaluation.benchmarks.measurement import Measurement, NotMeasuredError, from_interval
from training.evaluation.methods import (
    NO_CAPTION,
    NO_CAPTION_RESEEDED,
    REAL,
    RESEEDED,
    TRUE_CAPTION,
    WRONG_CAPTION,
)
from training.evaluation.metrics.confidence import bootstrap_interval, bootstrap_ratio
from training.evaluation.metrics.mobilenet import feature_distance
from training.evaluation.scorers.judge import PARTITIONS, RANKING_SIZE, r_precision


def captions_help(context: EvalContext) -> Measurement:
    """Measure how much nearer to the real centre the true caption brings the fill, in per cent."""
    real = context.centre_features(REAL)
    true, wrong = (
        feature_distance(context.centre_features(method), real)
        for method in (TRUE_CAPTION, WRONG_CAPTION)
    )
    gain = bootstrap_ratio(100 * (wrong - true), wrong, context.seed)
    details = {"distance, true": float(true.mean()), "wrong": float(wrong.mean())}
    return from_interval(gain, f"{len(true):,} pairs", context.network, details)


def captions_steer(context: EvalContext) -> Measurement:
    """Measure how far captions raise the judge's R-precision from its floor to its ceiling."""
    vectors, network = context.pictures.vectors, judge_name(context)
    true, none, ceiling = (
        mean_r_precision(context, [context.centre_features(method) for method in methods], vectors)
        for methods in ((TRUE_CAPTION, RESEEDED), (NO_CAPTION, NO_CAPTION_RESEEDED), (REAL,))
    )
    if ceiling.mean() <= none.mean():
        raise NotMeasuredError("the judge knows no more of real centres")
    parts = {"R-precision@1, true": true, "no caption (floor)": none, "real (ceiling)": ceiling}
    return from_interval(
        bootstrap_ratio(true - none, ceiling - none, context.seed),
        f"{len(vectors):,} pictures, 2 draws, {PARTITIONS} partitions",
        network,
        {name: float(values.mean()) for name, values in parts.items()},
    )


@torch.inference_mode()
def ranking(context: EvalContext) -> Measurement:
    """Measure the judge's score of the fill that is ranked first, above that of random ones."""
    scorer, vectors = context.required_judge.scorer, sampled_vectors(context)
    first = scorer(context.ranked_features, vectors)
    random = torch.stack([scorer(sample, vectors) for sample in context.sample_features]).mean(0)
    return above_random(context, judge_name(context), first, random)


def ranking_precision(context: EvalContext) -> Measurement:
    """Measure the R-precision of the fill that is ranked first, above that of random ones."""
    vectors, network = sampled_vectors(context), judge_name(context)
    first = mean_r_precision(context, [context.ranked_features], vectors)
    random = mean_r_precision(context, context.sample_features, vectors)
    return above_random(context, network, first, random)


def above_random(context: EvalContext, network: str, first: Tensor, random: Tensor) -> Measurement:
    """Compare the judge's values of the fills ranked first and of random ones, `(M,)`."""
    return from_interval(
        bootstrap_interval(first - random, context.seed),
        f"{len(first):,} pictures, {NUM_CANDIDATES} candidates",
        network,
        {"first ranked": float(first.mean()), "a random one": float(random.mean())},
    )


def judge_name(context: EvalContext) -> str:
    """Return how reports name the judge."""
    return f"the judge, {context.required_judge.digest}"


def sampled_vectors(context: EvalContext) -> Tensor:
    """Return the caption vectors of `sampled_rows`, `(M, D)`."""
    return context.pictures.vectors[context.sampled_rows]


def mean_r_precision(context: EvalContext, samples: Iterable[Tensor], vectors: Tensor) -> Tensor:
    """Return each picture's R-precision@1 by the judge, the mean over samples `(N, D)`."""
    scorer = context.required_judge.scorer
    if len(vectors) < RANKING_SIZE:
        raise NotMeasuredError(f"needs {RANKING_SIZE} pictures")
    each = [r_precision(scorer, features, vectors, context.seed) for features in samples]
    return torch.stack(each).mean(0)
