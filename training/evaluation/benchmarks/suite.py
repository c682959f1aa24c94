"""Runs all benchmarks of one set of pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from training.evaluation.benchmarks.captions import captions_help, captions_steer
from training.evaluation.benchmarks.diversity import sample_diversity
from training.evaluation.benchmarks.fidelity import (
    compare_bundle,
    efficientnet_kid,
    mobilenet_kid,
    network_name,
    psnr_of_mean,
    psnr_of_sample,
    psnr_without_noise,
    seam,
)
from training.evaluation.benchmarks.ranking import MEASURES, ranking
from training.evaluation.context import (
    NO_FEATURES,
    NUM_SAMPLES,
    CentreFeatures,
    EvalContext,
    centre_features,
)
from training.evaluation.measurement import Measurement, not_measured
from training.evaluation.methods import MAX_TIMED, TRUE_CAPTION
from training.evaluation.word_control.class_moves import class_words
from training.evaluation.word_control.colour_moves import colour_words
from training.metrics.mobilenet import FeatureExtractor

DIVERSITY_SAMPLES = 4
NO_JUDGE = "no judge reads these captions: train one (captionfill-train scorer judge)"


def run_benchmarks(context: EvalContext) -> list[Measurement]:
    """Run every benchmark that this set allows."""
    samples = first_samples(context, f"{NUM_SAMPLES} draws")
    noiseless = context.fill_without_noise(context.inpainter, "without noise")
    measurements = [
        mobilenet_kid(context),
        efficientnet_kid(context),
        psnr_of_sample(context),
        psnr_of_mean(context, samples),
        psnr_without_noise(context, noiseless),
        seam(context),
        milliseconds(context),
        *feature_benchmarks(context, samples),
        *(class_words(context) if has_classes(context) else colour_words(context)),
    ]
    for other in context.comparison_bundles:
        measurements += compare_bundle(context, other, samples, noiseless)
    return measurements


def run_quick_benchmarks(context: EvalContext) -> list[Measurement]:
    """Run the benchmarks that distinguish bundles within minutes, without any times."""
    samples = first_samples(context, "draws")
    return [
        mobilenet_kid(context),
        psnr_of_sample(context),
        psnr_of_mean(context, samples),
        psnr_without_noise(context, context.fill_without_noise(context.inpainter, "without noise")),
        seam(context),
        *feature_benchmarks(context, samples),
        *(class_words(context) if has_classes(context) else []),
    ]


def first_samples(context: EvalContext, stage: str) -> Tensor:
    """Fill `sampled_rows` many times; the results have the first two samples already."""
    results = context.results
    first = torch.stack([results.fills[TRUE_CAPTION], results.reseeded])[:, context.sampled_rows]
    return context.draw_samples(context.inpainter.fill_batch, stage, first)


def has_classes(context: EvalContext) -> bool:
    """Return whether the pictures of the set have class labels."""
    return any(context.results.prepared.labels)


def milliseconds(context: EvalContext) -> Measurement:
    """Measure the time of one image."""
    counted = f"{min(len(context.pictures), MAX_TIMED)} pictures"
    time = context.results.milliseconds[TRUE_CAPTION]
    return Measurement("milliseconds", context.name, time, counted)


def feature_benchmarks(context: EvalContext, samples: Tensor) -> list[Measurement]:
    """Run the benchmarks that need features of the centres."""
    data, seed = context.name, context.seed
    extractor, judge = context.extractor, context.judge
    names = ("diversity", "captions_help", "captions_steer", *MEASURES)
    if extractor is None:
        return [not_measured(name, data, NO_FEATURES) for name in names]
    network, centres = network_name(extractor), centre_features(context, extractor)
    of_samples = sample_features(context, extractor, centres, samples)
    measurements = [
        sample_diversity(data, of_samples, centres.real, network, seed),
        captions_help(data, centres, network, seed),
    ]
    if judge is None:
        return measurements + [not_measured(name, data, NO_JUDGE) for name in names[2:]]
    vectors, judge_name = context.pictures.vectors, f"the judge, {judge.digest}"
    return [
        *measurements,
        captions_steer(data, judge.scorer, centres, vectors, network=judge_name, seed=seed),
        *ranking(context, judge, samples, of_samples),
    ]


def sample_features(
    context: EvalContext, extractor: FeatureExtractor, centres: CentreFeatures, samples: Tensor
) -> Tensor:
    """Return features of the first samples of `sampled_rows`, `(DIVERSITY_SAMPLES, M, D)`.

    `centres` has those of the first two samples already.
    """
    features = [*centres.true[:, context.sampled_rows]]
    for sample in samples[len(features) : DIVERSITY_SAMPLES]:
        features.append(extractor(sample, context.batch_size))
        context.report_progress("features of draws", len(features), DIVERSITY_SAMPLES)
    return torch.stack(features)
