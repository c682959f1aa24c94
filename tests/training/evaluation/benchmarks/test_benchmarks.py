"""Measures of made-up generators come out as they must."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from models.frozen.scorers import Scorer
from training.evaluation.benchmarks.measurement import NotMeasuredError
from training.evaluation.benchmarks.quality import kid_ratio, mean_fill, psnr_gain
from training.evaluation.benchmarks.suite import run_benchmark
from training.evaluation.methods import (
    NO_CAPTION,
    NO_CAPTION_RESEEDED,
    REAL,
    RESEEDED,
    TRUE_CAPTION,
    WRONG_CAPTION,
)
from training.evaluation.metrics.kid import Kid
from training.evaluation.scorers.judge import Judge

COUNT, DIM = 300, 16


class PlainJudge(Scorer):
    """Sees and reads what it is given: a picture of a caption is the caption's vector."""

    def __init__(self) -> None:
        super().__init__(nn.Identity(), DIM, DIM, DIM)

    def encode_images(self, centres):
        return normalize(centres, dim=1)

    def encode_captions(self, caption):
        return normalize(caption, dim=1)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


VECTORS = normalize(random(COUNT, DIM), dim=1)
CENTRES = VECTORS + 0.05 * random(COUNT, DIM, seed=1)
DEAF = random(2, COUNT, DIM, seed=2)


def context(**results) -> SimpleNamespace:
    """A context with made-up results."""
    judge = Judge(PlainJudge(), "sha256:made-up")
    return SimpleNamespace(
        name="dev",
        seed=0,
        network="made-up",
        required_judge=judge,
        pictures=SimpleNamespace(vectors=VECTORS),
        sampled_rows=torch.arange(COUNT),
        **results,
    )


def seen(share: float) -> SimpleNamespace:
    """Fills of which a share shows its caption and the rest is noise, caption or not."""
    obeys = (torch.arange(COUNT) < share * COUNT)[:, None]
    features = {
        REAL: CENTRES,
        TRUE_CAPTION: torch.where(obeys, CENTRES, DEAF[0]),
        RESEEDED: torch.where(obeys, CENTRES, DEAF[1]),
        NO_CAPTION: DEAF[0],
        NO_CAPTION_RESEEDED: DEAF[1],
        WRONG_CAPTION: torch.where(obeys, CENTRES.roll(1, 0), DEAF[0]),
    }
    return context(centre_features=features.get)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0])
def test_obedience_is_the_share_from_floor_to_ceiling(share):
    figure = run_benchmark(seen(share), "captions_steer")
    assert figure.value == pytest.approx(share, abs=0.05)
    assert figure.details["no caption (floor)"] < 0.05
    assert figure.interval.low <= figure.value <= figure.interval.high


def test_captions_help_who_obeys_them_and_nobody_else():
    helped, deaf = (run_benchmark(seen(share), "captions_help") for share in (1.0, 0.0))
    assert helped.value == pytest.approx(100) and helped.pass_fail == (True, True)
    assert deaf.value == 0 and deaf.pass_fail == (False, False)


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
def test_draws_differing_like_real_centres_have_diversity_1(spread):
    draws = spread * random(4, COUNT, DIM)
    real = {REAL: random(COUNT, DIM, seed=1)}
    figure = run_benchmark(context(sample_features=draws, centre_features=real.get), "diversity")
    assert figure.value == pytest.approx(spread, abs=0.03)


def test_psnr_is_compared_with_the_best_competitor():
    real = torch.full((5, 3, 32, 32), 100, dtype=torch.uint8)
    others = {"near": real + 20, "far": real + 40}
    figure = psnr_gain(real + 10, others, real)
    assert figure.value == pytest.approx(6.02, abs=0.01)
    assert "dB, near" in figure.details


def test_mean_of_draws_is_rounded_to_8_bits():
    draws = torch.tensor([10, 11, 11, 12, 255], dtype=torch.uint8).view(5, 1, 1, 1, 1)
    assert mean_fill(draws[:4]).item() == 11 and mean_fill(draws).item() == 60


def test_kid_is_compared_with_the_lowest_competitor():
    kids = {TRUE_CAPTION: Kid(0.1, 0, 9, 9), "a": Kid(0.8, 0, 9, 9), "b": Kid(0.4, 0, 9, 9)}
    assert kid_ratio(kids, 9, "").value == pytest.approx(0.25)
    with pytest.raises(NotMeasuredError, match="needs features of 4 pictures"):
        kid_ratio({**kids, "a": None}, 9, "")


@pytest.mark.parametrize("better", [True, False])
def test_ranking_is_good_when_the_judge_agrees(better):
    samples = CENTRES + random(4, COUNT, DIM, seed=3)
    first = CENTRES + random(COUNT, DIM, seed=4) / (2 if better else 1)
    results = context(sample_features=samples, ranked_features=first)
    for measure in ("ranking", "ranking_precision"):
        assert run_benchmark(results, measure).pass_fail[0] is better
