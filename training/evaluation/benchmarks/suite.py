"""The benchmarks by the measure of `TARGETS` that each computes, and how they are run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from training.evaluation.benchmarks.captions import (
    captions_help,
    captions_steer,
    ranking,
    ranking_precision,
)
from training.evaluation.benchmarks.class_words import class_words
from training.evaluation.benchmarks.colour_words import colour_words
from training.evaluation.benchmarks.context import EvalContext
from training.evaluation.benchmarks.measurement import Measurement, NotMeasuredError
from training.evaluation.benchmarks.quality import (
    efficientnet_kid,
    milliseconds,
    mobilenet_kid,
    psnr_of_mean,
    psnr_of_sample,
    psnr_without_noise,
    sample_diversity,
    seam,
)

Benchmark = Callable[..., Measurement]
"""Takes an `EvalContext`; may raise `NotMeasuredError`."""

# In the order of the report.
BENCHMARKS: dict[str, Benchmark] = {
    "kid_ratio": mobilenet_kid,
    "kid_ratio_second": efficientnet_kid,
    "psnr_draw": psnr_of_sample,
    "psnr_mean": psnr_of_mean,
    "psnr_still": psnr_without_noise,
    "seam": seam,
    "milliseconds": milliseconds,
    "diversity": sample_diversity,
    "captions_help": captions_help,
    "captions_steer": captions_steer,
    "ranking": ranking,
    "ranking_precision": ranking_precision,
    "class_words": class_words,
    "colour_words": colour_words,
}
# Those that compare with another bundle; they take the name of its method, too.
COMPARISONS: dict[str, Benchmark] = {
    "against_kid": lambda context, other: mobilenet_kid(context, [other]),
    "against_psnr": lambda context, other: psnr_of_sample(context, [other]),
    "against_psnr_mean": psnr_of_mean,
    "against_psnr_still": psnr_without_noise,
}


def run_benchmarks(
    context: EvalContext, measures: Iterable[str] = tuple(BENCHMARKS)
) -> list[Measurement]:
    """Run benchmarks on one set, and the comparisons with other bundles.

    Class words are measured where the pictures have class labels, colour words where they have
    none.
    """
    excluded = "colour_words" if any(context.prepared.labels) else "class_words"
    found = [run_benchmark(context, measure) for measure in measures if measure != excluded]
    for other in context.others:
        found += [run_benchmark(context, measure, other) for measure in COMPARISONS]
    return found


def run_benchmark(context: EvalContext, measure: str, *others: str) -> Measurement:
    """Run one benchmark; where it cannot be computed, the measurement says why."""
    data = "; ".join([context.name, *others])
    benchmark = COMPARISONS[measure] if others else BENCHMARKS[measure]
    try:
        return replace(benchmark(context, *others), measure=measure, data=data)
    except NotMeasuredError as reason:
        return Measurement(None, missing=str(reason), measure=measure, data=data)
