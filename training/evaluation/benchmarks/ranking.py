"""Whether the bundle's own scorer puts better fills first, in the eyes of a separate judge."""

from __future__ import annotations

import torch
from torch import Tensor

from training.evaluation.benchmarks.captions import precision
from training.evaluation.context import EvalContext
from training.evaluation.measurement import Measurement, measured, unmeasured
from training.metrics.images import bootstrap_interval
from training.scorers.judge import Judge
from training.scorers.train import RANKING_SIZE

CANDIDATES = 8
NAMES = ("ranking", "ranking_precision")


def ranking(subject: EvalContext, judge: Judge, draws: Tensor, seen: Tensor) -> list[Measurement]:
    """Compare the first ranked with fills that nobody chose.

    Args:
        subject: who is measured.
        judge: the separate scorer.
        draws: fills of the `drawn` pictures, uint8 `(K, M, 3, 32, 32)`.
        seen: features of the first few of them, `(k, M, D)`.
    """
    if subject.bundle.scorer is None or subject.extractor is None:
        return [unmeasured(n, subject.done.name, "the bundle carries no scorer") for n in NAMES]
    first = subject.extractor(first_ranked(subject, draws[:CANDIDATES]), subject.batch_size)
    vectors = subject.pictures.vectors[subject.drawn]
    return compare(subject.done.name, judge, first, seen, vectors, seed=subject.done.seed)


def first_ranked(subject: EvalContext, draws: Tensor) -> Tensor:
    """Of K fills of every picture, the one that the bundle scores highest, `(M, 3, 32, 32)`."""
    some = subject.pictures.take(subject.drawn)
    scores = [subject.engine.score(some.composites(d), some.vectors) for d in draws]
    return draws[torch.stack(scores).argmax(0), torch.arange(len(some))]


@torch.inference_mode()
def compare(
    data: str, judge: Judge, first: Tensor, others: Tensor, vectors: Tensor, *, seed: int = 0
) -> list[Measurement]:
    """Let the judge compare.

    Args:
        data: what to call the pictures.
        judge: the separate scorer.
        first: features of the first ranked, `(M, D)`.
        others: of fills that nobody chose, `(k, M, D)`.
        vectors: of the captions, `(M, caption_dim)`.
        seed: of partitions and resamples.
    """
    scorer = judge.scorer
    ours = scorer(first, vectors)
    theirs = torch.stack([scorer(other, vectors) for other in others]).mean(0)
    figures = [told(NAMES[0], data, ours, theirs, judge, seed=seed)]
    if len(vectors) < RANKING_SIZE:
        return [*figures, unmeasured(NAMES[1], data, f"needs {RANKING_SIZE} pictures")]
    ours = precision(scorer, first, vectors, seed)
    theirs = torch.stack([precision(scorer, other, vectors, seed) for other in others]).mean(0)
    return [*figures, told(NAMES[1], data, ours, theirs, judge, seed=seed)]


def told(
    name: str, data: str, ours: Tensor, theirs: Tensor, judge: Judge, *, seed: int
) -> Measurement:
    """The figure of a paired difference."""
    return measured(
        name,
        data,
        bootstrap_interval(ours - theirs, seed),
        f"{len(ours):,} pictures, {CANDIDATES} candidates",
        network=f"the judge, {judge.digest}",
        beside={"first ranked": float(ours.mean()), "a random one": float(theirs.mean())},
    )
