"""Fidelity: KID and hole-PSNR against the classical methods and against other bundles."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from models.frozen.efficientnet import FrozenWeightsError
from training.evaluation.baselines import CLASSICAL
from training.evaluation.context import NO_FEATURES, EvalContext
from training.evaluation.dataset import evenly_spaced
from training.evaluation.measurement import Measurement, from_interval, not_measured
from training.evaluation.methods import REAL, TRUE_CAPTION
from training.metrics.confidence import bootstrap_interval
from training.metrics.efficientnet import load_efficientnet_extractor
from training.metrics.image_metrics import ImageMetrics
from training.metrics.kid import KID_MIN_IMAGES, Kid
from training.metrics.mobilenet import FeatureExtractor
from training.metrics.pixels import hole_psnr

MAX_EFFICIENTNET_PICTURES = 1000


def network_name(extractor: FeatureExtractor) -> str:
    """Return name and digest of a network."""
    return f"{extractor.name}, {extractor.digest}"


def format_kid(kid: Kid) -> str:
    """Return KID × 10³ with its standard deviation over the subsets."""
    return f"{1000 * kid.mean:.2f} ± {1000 * kid.spread:.2f}"


def mobilenet_kid(context: EvalContext) -> Measurement:
    """Measure the KID ratio with MobileNetV2's features, which the table has too."""
    if context.extractor is None:
        return not_measured("kid_ratio", context.name, NO_FEATURES)
    kids = {name: context.results.metrics(name).kid for name in (TRUE_CAPTION, *CLASSICAL)}
    counted = f"{len(context.pictures):,} pictures"
    return kid_ratio("kid_ratio", context.name, kids, counted, network_name(context.extractor))


def efficientnet_kid(context: EvalContext) -> Measurement:
    """Measure the KID ratio with EfficientNet-Lite2's features."""
    measure = "kid_ratio_second"
    try:
        extractor = load_efficientnet_extractor(context.device)
    except FrozenWeightsError as error:
        return not_measured(measure, context.name, str(error))
    rows = evenly_spaced(len(context.pictures), MAX_EFFICIENTNET_PICTURES)
    selected, features = context.pictures.gather(rows), {}
    fills = {name: context.results.fills[name][rows] for name in (TRUE_CAPTION, *CLASSICAL)}
    for name, fill in {**fills, REAL: selected.centres}.items():
        features[name] = extractor(selected.composites(fill), context.batch_size)
        context.report_progress("second network", len(features), len(fills) + 1)
    real, pixels = features.pop(REAL), selected.pixels
    kids = {
        name: ImageMetrics(pixels, pixels, values, real, context.seed).kid
        for name, values in features.items()
    }
    counted = f"{len(rows):,} pictures"
    return kid_ratio(measure, context.name, kids, counted, network_name(extractor))


def kid_ratio(
    measure: str, data: str, kids: Mapping[str, Kid | None], counted: str, network: str
) -> Measurement:
    """Measure the KID of `TRUE_CAPTION` divided by the least of all other methods."""
    known = {name: kid for name, kid in kids.items() if kid is not None}
    if len(known) < len(kids):
        return not_measured(measure, data, f"needs features of {KID_MIN_IMAGES} pictures")
    best = min((name for name in known if name != TRUE_CAPTION), key=lambda name: known[name].mean)
    if known[best].mean <= 0:  # the estimator is unbiased, so a small sample may give this
        return not_measured(measure, data, f"too few pictures: KID of {best} is not above 0")
    details = {f"KID ×10³, {name}": format_kid(kid) for name, kid in known.items()}
    value = known[TRUE_CAPTION].mean / known[best].mean
    return Measurement(measure, data, value, counted, network=network, details=details)


def psnr_gain(
    measure: str,
    data: str,
    fills: Tensor,
    others: Mapping[str, Tensor],
    centres: Tensor,
    *,
    seed: int = 0,
) -> Measurement:
    """Measure the hole-PSNR of fills minus that of the best of the others, paired by picture."""
    psnr = hole_psnr(fills, centres)
    other_psnr = {name: hole_psnr(fill, centres) for name, fill in others.items()}
    best = max(other_psnr, key=lambda name: float(other_psnr[name].mean()))
    return from_interval(
        measure,
        data,
        bootstrap_interval(psnr - other_psnr[best], seed),
        f"{len(centres):,} pictures",
        details={"dB": float(psnr.mean()), f"dB, {best}": float(other_psnr[best].mean())},
    )


def classical_psnr_gain(
    measure: str, context: EvalContext, fills: Tensor, rows: Tensor | slice = slice(None)
) -> Measurement:
    """Measure the gain in hole-PSNR over the best classical method on some rows of the set."""
    others = {name: context.results.fills[name][rows] for name in CLASSICAL}
    centres = context.pictures.centres[rows]
    return psnr_gain(measure, context.name, fills, others, centres, seed=context.seed)


def psnr_of_sample(context: EvalContext) -> Measurement:
    """Measure the PSNR gain of one sample."""
    return classical_psnr_gain("psnr_draw", context, context.results.fills[TRUE_CAPTION])


def psnr_of_mean(context: EvalContext, samples: Tensor) -> Measurement:
    """Measure the PSNR gain of the mean of all samples of `sampled_rows`."""
    return classical_psnr_gain("psnr_mean", context, mean_fill(samples), context.sampled_rows)


def psnr_without_noise(context: EvalContext, fills: Tensor) -> Measurement:
    """Measure the PSNR gain of the fills at temperature 0."""
    return classical_psnr_gain("psnr_still", context, fills)


def mean_fill(samples: Tensor) -> Tensor:
    """Return the mean of fills, uint8 `(K, M, 3, 32, 32)`, rounded to 8 bits as users get it."""
    return samples.float().mean(0).round().to(torch.uint8)


def seam(context: EvalContext) -> Measurement:
    """Measure the seam ratio of one sample."""
    ratio = context.results.metrics(TRUE_CAPTION).seam_ratio
    if ratio is None:
        return not_measured("seam", context.name, "every real picture is flat across the border")
    return Measurement("seam", context.name, ratio, f"{len(context.pictures):,} pictures")


def compare_bundle(
    context: EvalContext, other: str, samples: Tensor, noiseless: Tensor
) -> list[Measurement]:
    """Measure KID and PSNR against another bundle.

    Args:
        context: the bundle on a set.
        other: name of the other bundle's method.
        samples: fills of `sampled_rows`, uint8 `(K, M, 3, 32, 32)`.
        noiseless: fills at temperature 0, uint8 `(N, 3, 32, 32)`.
    """
    results, inpainter = context.results, context.comparison_bundles[other]
    data, rows = f"{context.name}; {other}", context.sampled_rows
    centres, other_fills = context.pictures.centres, results.fills[other]
    kids = {name: results.metrics(name).kid for name in (TRUE_CAPTION, other)}
    network = network_name(context.extractor) if context.extractor else ""

    def gain(measure: str, fills: Tensor, others: Tensor, real: Tensor) -> Measurement:
        return psnr_gain(measure, data, fills, {other: others}, real, seed=context.seed)

    stage = f"{other}, draws"
    other_samples = context.draw_samples(
        inpainter.fill_batch, stage, other_fills[None, rows], count=2
    )
    if not torch.equal(*other_samples):  # else it ignores the noise: all samples are the same
        other_samples = context.draw_samples(inpainter.fill_batch, stage, other_samples)
    other_noiseless = context.fill_without_noise(inpainter, f"{other}, without noise")
    return [
        kid_ratio("against_kid", data, kids, f"{len(centres):,} pictures", network),
        gain("against_psnr", results.fills[TRUE_CAPTION], other_fills, centres),
        gain("against_psnr_mean", mean_fill(samples), mean_fill(other_samples), centres[rows]),
        gain("against_psnr_still", noiseless, other_noiseless, centres),
    ]
