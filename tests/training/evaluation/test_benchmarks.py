"""Measures of made-up generators come out as they must."""

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from models.frozen.scorers import Scorer
from training.evaluation.benchmarks.captions import captions_help, captions_steer
from training.evaluation.benchmarks.diversity import sample_diversity
from training.evaluation.benchmarks.fidelity import kid_ratio, mean_fill, psnr_gain
from training.evaluation.benchmarks.ranking import compare_ranked
from training.evaluation.context import CentreFeatures
from training.evaluation.methods import TRUE_CAPTION
from training.metrics.kid import Kid
from training.scorers.judge import Judge

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
REAL = VECTORS + 0.05 * random(COUNT, DIM, seed=1)
DEAF = random(2, COUNT, DIM, seed=2)


def seen(share: float) -> CentreFeatures:
    """Fills of which a share shows its caption and the rest is noise, caption or not."""
    obeys = torch.arange(COUNT) < share * COUNT
    true = torch.where(obeys[:, None], REAL, DEAF)
    return CentreFeatures(REAL, true, DEAF, torch.where(obeys[:, None], REAL.roll(1, 0), DEAF[0]))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0])
def test_obedience_is_the_share_from_floor_to_ceiling(share):
    figure = captions_steer("dev", PlainJudge(), seen(share), VECTORS)
    assert figure.value == pytest.approx(share, abs=0.05)
    assert figure.details["no caption (floor)"] < 0.05
    assert figure.interval.low <= figure.value <= figure.interval.high


def test_captions_help_who_obeys_them_and_nobody_else():
    helped, deaf = captions_help("dev", seen(1.0)), captions_help("dev", seen(0.0))
    assert helped.value == pytest.approx(100) and helped.pass_fail == (True, True)
    assert deaf.value == 0 and deaf.pass_fail == (False, False)


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
def test_draws_differing_like_real_centres_have_diversity_1(spread):
    draws = spread * random(4, COUNT, DIM)
    figure = sample_diversity("dev", draws, random(COUNT, DIM, seed=1))
    assert figure.value == pytest.approx(spread, abs=0.03)


def test_psnr_is_compared_with_the_best_competitor():
    real = torch.full((5, 3, 32, 32), 100, dtype=torch.uint8)
    others = {"near": real + 20, "far": real + 40}
    figure = psnr_gain("psnr_draw", "dev", real + 10, others, real)
    assert figure.value == pytest.approx(6.02, abs=0.01)
    assert "dB, near" in figure.details


def test_mean_of_draws_is_rounded_to_8_bits():
    draws = torch.tensor([10, 11, 11, 12, 255], dtype=torch.uint8).view(5, 1, 1, 1, 1)
    assert mean_fill(draws[:4]).item() == 11 and mean_fill(draws).item() == 60


def test_kid_is_compared_with_the_lowest_competitor():
    kids = {TRUE_CAPTION: Kid(0.1, 0, 9, 9), "a": Kid(0.8, 0, 9, 9), "b": Kid(0.4, 0, 9, 9)}
    assert kid_ratio("kid_ratio", "dev", kids, "9", "").value == pytest.approx(0.25)
    assert kid_ratio("kid_ratio", "dev", {**kids, "a": None}, "9", "").value is None


@pytest.mark.parametrize("better", [True, False])
def test_ranking_is_good_when_the_judge_agrees(better):
    others = REAL + random(4, COUNT, DIM, seed=3)
    first = REAL + random(COUNT, DIM, seed=4) / (2 if better else 1)
    judge = Judge(PlainJudge(), "sha256:made-up")
    score, precision = compare_ranked("dev", judge, first, others, VECTORS)
    assert score.pass_fail[0] is precision.pass_fail[0] is better
