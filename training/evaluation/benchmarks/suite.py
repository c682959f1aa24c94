"""All measures of one set of pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from training.evaluation.benchmarks.captions import captions_help, captions_steer
from training.evaluation.benchmarks.diversity import diversity_of_draws
from training.evaluation.benchmarks.fidelity import (
    against,
    first_kid,
    psnr_draw,
    psnr_mean,
    psnr_still,
    seam,
    second_kid,
    seen_by,
)
from training.evaluation.benchmarks.ranking import NAMES, ranking
from training.evaluation.context import DRAWS, EvalContext, Seen, see
from training.evaluation.measurement import Measurement, unmeasured
from training.evaluation.methods import TIMED_PICTURES, TRUE
from training.evaluation.word_control.class_moves import class_words
from training.evaluation.word_control.colour_moves import colour_words

DIVERSE_DRAWS = 4
NO_JUDGE = "no judge reads these captions: train one (captionfill-train scorer judge)"


def measure_set(subject: EvalContext) -> list[Measurement]:
    """Take every measure that can be taken of this set."""
    done = subject.done
    first = torch.stack([done.fills[TRUE], done.reseeded])[:, subject.drawn]
    draws = subject.draw(subject.engine.fill, f"{DRAWS} draws", first)
    still = subject.fill_still(subject.engine, "without noise")
    figures = [
        first_kid(subject),
        second_kid(subject),
        psnr_draw(subject),
        psnr_mean(subject, draws),
        psnr_still(subject, still),
        seam(subject),
        milliseconds(subject),
        *looked_at(subject, draws),
        *(class_words(subject) if any(done.prepared.labels) else colour_words(subject)),
    ]
    for rival in subject.rivals:
        figures += against(subject, rival, draws, still)
    return figures


def milliseconds(subject: EvalContext) -> Measurement:
    """How long one image takes."""
    counted = f"{min(len(subject.pictures), TIMED_PICTURES)} pictures"
    return Measurement("milliseconds", subject.done.name, subject.done.milliseconds[TRUE], counted)


def looked_at(subject: EvalContext, draws: Tensor) -> list[Measurement]:
    """What takes features of the centres alone."""
    data, extractor, judge = subject.done.name, subject.extractor, subject.judge
    names = ("diversity", "captions_help", "captions_steer", *NAMES)
    if extractor is None:
        return [unmeasured(name, data, subject.why_blind) for name in names]
    seen, seed, network = see(subject, extractor), subject.done.seed, seen_by(extractor)
    some = features_of_draws(subject, seen, draws)
    figures = [
        diversity_of_draws(data, some, seen.real, network, seed),
        captions_help(data, seen, network, seed),
    ]
    if judge is None:
        return figures + [unmeasured(name, data, NO_JUDGE) for name in names[2:]]
    who = f"the judge, {judge.digest}"
    return [
        *figures,
        captions_steer(data, judge.scorer, seen, subject.pictures.vectors, network=who, seed=seed),
        *ranking(subject, judge, draws, some),
    ]


def features_of_draws(subject: EvalContext, seen: Seen, draws: Tensor) -> Tensor:
    """Features of the first draws of the `drawn` pictures; of two of them they are there."""
    assert subject.extractor is not None
    looked = [*seen.true[:, subject.drawn]]
    for draw in draws[len(looked) : DIVERSE_DRAWS]:
        looked.append(subject.extractor(draw, subject.batch_size))
        subject.tell("features of draws", len(looked), DIVERSE_DRAWS)
    return torch.stack(looked)
