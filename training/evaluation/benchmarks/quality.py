"""Quality of fills: KID and hole-PSNR against other methods, the seam, diversity, and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from models.frozen.efficientnet import FrozenWeightsError
from training.evaluation.benchmarks.context import NUM_SAMPLES, EvalContext
from training.evaluation.benchmarks.measurement import Measurement, NotMeasuredError, from_interval
from training.evaluation.dataset import evenly_spaced
from training.evaluation.methods import CLASSICAL, MAX_TIMED, NOISELESS, REAL, TRUE_CAPTION
from training.evaluation.metrics.confidence import bootstrap_interval
from training.evaluation.metrics.diversity import mean_pairwise_distance, pairwise_distances
from training.evaluation.metrics.efficientnet import load_efficientnet_extractor
from training.evaluation.metrics.image_metrics import ImageMetrics
from training.evaluation.metrics.kid import KID_MIN_IMAGES, Kid
from training.evaluation.metrics.mobilenet import feature_distance
from training.evaluation.metrics.pixels import hole_psnr
from training.evaluation.table import kid_text

MAX_EFFICIENTNET_PICTURES = 1000


def mobilenet_kid(context: EvalContext, others: Sequence[str] = tuple(CLASSICAL)) -> Measurement:
    """Measure the KID ratio with MobileNetV2's features, which the table has too."""
    network = context.network
    kids = {name: context.metrics(name).kid for name in (TRUE_CAPTION, *others)}
    return kid_ratio(kids, len(context.pictures), network)


def efficientnet_kid(context: EvalContext) -> Measurement:
    """Measure the KID ratio with EfficientNet-Lite2's features."""
    try:
        extractor = load_efficientnet_extractor()
    except FrozenWeightsError as error:
        raise NotMeasuredError(str(error)) from error
    rows = evenly_spaced(len(context.pictures), MAX_EFFICIENTNET_PICTURES)
    selected, features = context.pictures.gather(rows), {}
    methods = (TRUE_CAPTION, *CLASSICAL, REAL)
    for name in methods:
        composites = selected.composites(context.fills(name)[rows])
        features[name] = extractor(composites, context.batch_size)
        context.report_progress("second network", len(features), len(methods))
    real, pixels = features.pop(REAL), selected.pixels
    kids = {
        name: ImageMetrics(pixels, pixels, values, real, context.seed).kid
        for name, values in features.items()
    }
    return kid_ratio(kids, len(rows), f"{extractor.name}, {extractor.digest}")


def kid_ratio(kids: Mapping[str, Kid | None], count: int, network: str) -> Measurement:
    """Divide the KID of `TRUE_CAPTION` by the least of all other methods.

    Raises:
        NotMeasuredError: a KID is missing, or the least is not above 0.
    """
    known = {name: kid for name, kid in kids.items() if kid is not None}
    if len(known) < len(kids):
        raise NotMeasuredError(f"needs features of {KID_MIN_IMAGES} pictures")
    best = min((name for name in known if name != TRUE_CAPTION), key=lambda name: known[name].mean)
    if known[best].mean <= 0:  # the estimator is unbiased, so a small sample may give this
        raise NotMeasuredError(f"too few pictures: KID of {best} is not above 0")
    details = {f"KID ×10³, {name}": kid_text(kid.mean, kid.spread) for name, kid in known.items()}
    value = known[TRUE_CAPTION].mean / known[best].mean
    return Measurement(value, f"{count:,} pictures", network=network, details=details)


def psnr_of_sample(context: EvalContext, others: Sequence[str] = tuple(CLASSICAL)) -> Measurement:
    """Measure the PSNR gain of one sample."""
    fills = {name: context.fills(name) for name in others}
    return psnr_gain(context.fills(TRUE_CAPTION), fills, context.pictures.centres, context.seed)


def psnr_without_noise(context: EvalContext, other: str | None = None) -> Measurement:
    """Measure the PSNR gain at temperature 0 over the classical methods or another bundle."""
    fills = (
        {other: context.fills(f"{other}, {NOISELESS}")}
        if other
        else {name: context.fills(name) for name in CLASSICAL}
    )
    return psnr_gain(context.fills(NOISELESS), fills, context.pictures.centres, context.seed)


def psnr_of_mean(context: EvalContext, other: str | None = None) -> Measurement:
    """Measure the PSNR gain of the mean of all samples of `sampled_rows`."""
    rows = context.sampled_rows
    if other:
        inpainter = context.others[other]
        # Without noise, all samples are the same.
        count = NUM_SAMPLES if inpainter.engine.bundle.config.noise_dim else 1
        samples = context.draw_samples(inpainter, f"{other}, draws", count)
        fills = {other: mean_fill(samples)}
    else:
        fills = {name: context.fills(name)[rows] for name in CLASSICAL}
    centres = context.pictures.centres[rows]
    return psnr_gain(mean_fill(context.samples), fills, centres, context.seed)


def psnr_gain(
    fills: Tensor, others: Mapping[str, Tensor], centres: Tensor, seed: int = 0
) -> Measurement:
    """Measure the hole-PSNR of fills minus that of the best of the others, paired by picture."""
    psnr = hole_psnr(fills, centres)
    other_psnr = {name: hole_psnr(fill, centres) for name, fill in others.items()}
    best = max(other_psnr, key=lambda name: float(other_psnr[name].mean()))
    details = {"dB": float(psnr.mean()), f"dB, {best}": float(other_psnr[best].mean())}
    gain = bootstrap_interval(psnr - other_psnr[best], seed)
    return from_interval(gain, f"{len(centres):,} pictures", details=details)


def mean_fill(samples: Tensor) -> Tensor:
    """Return the mean of fills, uint8 `(K, M, 3, 32, 32)`, rounded to 8 bits as users get it."""
    return samples.float().mean(0).round().to(torch.uint8)


def seam(context: EvalContext) -> Measurement:
    """Measure the seam ratio of one sample."""
    ratio = context.metrics(TRUE_CAPTION).seam_ratio
    if ratio is None:
        raise NotMeasuredError("every real picture is flat across the border")
    return Measurement(ratio, f"{len(context.pictures):,} pictures")


def milliseconds(context: EvalContext) -> Measurement:
    """Measure the time of one image."""
    counted = f"{min(len(context.pictures), MAX_TIMED)} pictures"
    return Measurement(context.milliseconds[TRUE_CAPTION], counted)


def sample_diversity(context: EvalContext) -> Measurement:
    """Divide the distance between samples of a picture by that between real centres."""
    samples, real = context.sample_features, context.centre_features(REAL)
    pairs = combinations(samples, 2)
    distance = torch.stack([feature_distance(one, other) for one, other in pairs]).mean(0)
    real_distance = mean_pairwise_distance(pairwise_distances(real))
    return from_interval(
        bootstrap_interval(distance / real_distance, context.seed),
        f"{samples.shape[1]:,} pictures, {len(samples)} draws; {len(real):,} real centres",
        context.network,
        {"distance of draws": float(distance.mean()), "of real centres": real_distance},
    )
