"""Against the classical methods and against other bundles: KID and hole-PSNR."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from models.frozen.efficientnet import FrozenWeightsError
from training.evaluation.baselines import CLASSICAL
from training.evaluation.context import EvalContext
from training.evaluation.dataset import evenly_spaced
from training.evaluation.measurement import Measurement, measured, unmeasured
from training.evaluation.methods import TRUE
from training.evaluation.scores import REAL
from training.metrics.efficientnet import load_second_extractor
from training.metrics.images import KID_LEAST, Kid, bootstrap_interval, hole_psnr, kid, seam_ratio
from training.metrics.mobilenet import FeatureExtractor

SECOND_PICTURES = 1000


def seen_by(extractor: FeatureExtractor) -> str:
    """Name and digest of a network."""
    return f"{extractor.name}, {extractor.digest}"


def mean_of(draws: Tensor) -> Tensor:
    """The mean of fills, uint8 `(K, M, 3, 32, 32)`, rounded to what a user would get."""
    return draws.float().mean(0).round().to(torch.uint8)


def kid_ratio(
    measure: str, data: str, kids: Mapping[str, Kid | None], counted: str, network: str
) -> Measurement:
    """KID of `TRUE` over the least of all others."""
    known = {name: one for name, one in kids.items() if one is not None}
    if len(known) < len(kids):
        return unmeasured(measure, data, f"needs features of {KID_LEAST} pictures")
    best = min((name for name in known if name != TRUE), key=lambda name: known[name].mean)
    if known[best].mean <= 0:  # the estimator is unbiased, so of a few pictures it may be
        return unmeasured(measure, data, f"too few pictures: KID of {best} is not above 0")
    beside = {f"KID ×10³, {name}": told(one) for name, one in known.items()}
    value = known[TRUE].mean / known[best].mean
    return Measurement(measure, data, value, counted, network=network, beside=beside)


def told(one: Kid) -> str:
    """KID with its spread over the subsets."""
    return f"{1000 * one.mean:.2f} ± {1000 * one.spread:.2f}"


def first_kid(subject: EvalContext) -> Measurement:
    """KID by MobileNetV2, of what the table looked at."""
    if subject.extractor is None:
        return unmeasured("kid_ratio", subject.done.name, subject.why_blind)
    kids = {name: subject.done.scores.kid(name) for name in (TRUE, *CLASSICAL)}
    counted = f"{len(subject.pictures):,} pictures"
    network = seen_by(subject.extractor)
    return kid_ratio("kid_ratio", subject.done.name, kids, counted, network)


def second_kid(subject: EvalContext) -> Measurement:
    """KID by EfficientNet-Lite2."""
    name = "kid_ratio_second"
    try:
        extractor = load_second_extractor(subject.device)
    except FrozenWeightsError as error:
        return unmeasured(name, subject.done.name, str(error))
    rows = evenly_spaced(len(subject.pictures), SECOND_PICTURES)
    some, features = subject.pictures.take(rows), {}
    fills = {which: subject.done.fills[which][rows] for which in (TRUE, *CLASSICAL)}
    for which, fill in {**fills, REAL: some.centres}.items():
        features[which] = extractor(some.composites(fill), subject.batch_size)
        subject.tell("second network", len(features), len(fills) + 1)
    real, seed = features.pop(REAL), subject.done.seed
    kids = {
        which: kid(seen, real, seed) if len(rows) >= KID_LEAST else None
        for which, seen in features.items()
    }
    counted = f"{len(rows):,} pictures"
    return kid_ratio(name, subject.done.name, kids, counted, seen_by(extractor))


def psnr_gain(
    measure: str,
    data: str,
    fills: Tensor,
    others: Mapping[str, Tensor],
    centres: Tensor,
    *,
    seed: int = 0,
) -> Measurement:
    """Hole-PSNR of fills less that of the best of the others, paired by picture."""
    ours = hole_psnr(fills, centres)
    theirs = {name: hole_psnr(fill, centres) for name, fill in others.items()}
    best = max(theirs, key=lambda name: float(theirs[name].mean()))
    return measured(
        measure,
        data,
        bootstrap_interval(ours - theirs[best], seed),
        f"{len(centres):,} pictures",
        beside={"dB": float(ours.mean()), f"dB, {best}": float(theirs[best].mean())},
    )


def psnr_draw(subject: EvalContext) -> Measurement:
    """Of a drawn fill."""
    done = subject.done
    others = {name: done.fills[name] for name in CLASSICAL}
    centres = subject.pictures.centres
    return psnr_gain("psnr_draw", done.name, done.fills[TRUE], others, centres, seed=done.seed)


def psnr_mean(subject: EvalContext, draws: Tensor) -> Measurement:
    """Of the mean of all draws of the `drawn` pictures."""
    done, rows = subject.done, subject.drawn
    others = {name: done.fills[name][rows] for name in CLASSICAL}
    centres = subject.pictures.centres[rows]
    return psnr_gain("psnr_mean", done.name, mean_of(draws), others, centres, seed=done.seed)


def psnr_still(subject: EvalContext, still: Tensor) -> Measurement:
    """Of the fills at temperature 0."""
    done = subject.done
    others = {name: done.fills[name] for name in CLASSICAL}
    centres = subject.pictures.centres
    return psnr_gain("psnr_still", done.name, still, others, centres, seed=done.seed)


def seam(subject: EvalContext) -> Measurement:
    """The step across the border."""
    pictures, name = subject.pictures, subject.done.name
    found = seam_ratio(pictures.composites(subject.done.fills[TRUE]), pictures.pixels)
    if found is None:
        return unmeasured("seam", name, "every real picture is flat across the border")
    return Measurement("seam", name, found, f"{len(pictures):,} pictures")


def against(subject: EvalContext, rival: str, draws: Tensor, still: Tensor) -> list[Measurement]:
    """Compare with another bundle, `rival` being the name of its method."""
    done, engine = subject.done, subject.rivals[rival].engine
    fill = engine.fill
    name, rows, seed = f"{done.name}; {rival}", subject.drawn, done.seed
    centres, theirs = subject.pictures.centres, done.fills[rival]
    counted = f"{len(centres):,} pictures"
    kids = {which: done.scores.kid(which) for which in (TRUE, rival)}
    network = seen_by(subject.extractor) if subject.extractor else ""
    their_draws = subject.draw(fill, f"{rival}, draws", theirs[None, rows], count=2)
    if not torch.equal(*their_draws):  # else it knows no noise, and there is no more to draw
        their_draws = subject.draw(fill, f"{rival}, draws", their_draws)
    return [
        kid_ratio("against_kid", name, kids, counted, network),
        psnr_gain("against_psnr", name, done.fills[TRUE], {rival: theirs}, centres, seed=seed),
        psnr_gain(
            "against_psnr_mean",
            name,
            mean_of(draws),
            {rival: mean_of(their_draws)},
            centres[rows],
            seed=seed,
        ),
        psnr_gain(
            "against_psnr_still",
            name,
            still,
            {rival: subject.fill_still(engine, f"{rival}, without noise")},
            centres,
            seed=seed,
        ),
    ]
