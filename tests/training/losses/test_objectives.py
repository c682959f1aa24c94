"""The GAN objective, held against its formulas."""

import math

import pytest
import torch

from models.discriminator_outputs import Logits
from training.losses.objectives import OBJECTIVES
from training.losses.objectives.base import DiscriminatorInput, hole_l2
from training.losses.objectives.gan import (
    Gan,
    GanSettings,
    cross_entropy,
    feature_matching,
    neighbour_captions,
)


class Judge(torch.nn.Module):
    """Scores a picture by its mean and a caption by its first number."""

    def forward(self, images, caption):
        return Logits(self.score_features(images * 2, caption), (images * 2,))

    def score_features(self, seen, caption):
        return seen.flatten(1).mean(1) / 2 + caption[:, 0]


def scene(level, caption):
    mask = torch.zeros(2, 1, 64, 64)
    mask[:, :, 16:48, 16:48] = 1
    return DiscriminatorInput(
        torch.full((2, 3, 64, 64), level), mask, torch.tensor(caption)[:, None]
    )


REAL, FAKE = scene(0.5, [1.0, -1.0]), scene(-0.5, [1.0, -1.0])


def test_discriminator_terms_are_gan_cls_cross_entropies():
    terms = Gan(GanSettings(mismatch=0.5)).discriminator_terms(Judge(), REAL, FAKE)
    assert terms["real"][0] == pytest.approx(math.log1p(math.exp(-1.5)))
    assert terms["fake"][0] == pytest.approx(0.5 * math.log1p(math.exp(0.5)))
    assert terms["mismatch"][0] == pytest.approx(0.5 * math.log1p(math.exp(-0.5)))


def test_the_generator_is_told_not_to_saturate():
    terms = Gan(GanSettings(feature_matching=0, l2=0)).generator_terms(Judge(), REAL, FAKE)
    assert list(terms) == ["adversarial"]
    assert terms["adversarial"][1] == pytest.approx(math.log1p(math.exp(1.5)))


def test_a_smoothed_label_asks_for_less_than_certainty():
    best = torch.tensor(math.log(0.9 / 0.1), requires_grad=True)
    cross_entropy(best, 0.9).backward()
    assert best.grad.abs() < 1e-6


def test_terms_are_weighted_and_per_sample():
    weighed = Gan(GanSettings(l2=3, feature_matching=2)).generator_terms(Judge(), REAL, FAKE)
    assert weighed["l2"].tolist() == pytest.approx([3 * 1.0] * 2)  # the scenes are 1 apart
    assert weighed["feature_matching"].tolist() == pytest.approx([2 * 4.0] * 2)


def test_a_term_of_weight_zero_is_not_there():
    settings = GanSettings(adversarial=1, feature_matching=0, l2=0, mismatch=0)
    assert set(Gan(settings).generator_terms(Judge(), REAL, FAKE)) == {"adversarial"}
    assert set(Gan(settings).discriminator_terms(Judge(), REAL, FAKE)) == {"real", "fake"}


def test_l2_penalty_is_the_mean_over_the_hole():
    fake = REAL.images.clone()
    fake[:, :, 16:48, 16:48] += 0.5
    assert hole_l2(REAL, REAL._replace(images=fake)).tolist() == pytest.approx([0.25, 0.25])


def test_feature_matching_moves_only_the_fake_side():
    real = torch.ones(2, 3, 4, 4, requires_grad=True)
    fake = torch.zeros(2, 3, 4, 4, requires_grad=True)
    feature_matching((real,), (fake,)).sum().backward()
    assert real.grad is None
    assert fake.grad.abs().sum() > 0


def test_a_mismatch_gives_every_picture_its_neighbours_caption():
    assert neighbour_captions(REAL.caption)[:, 0].tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_every_objective_gives_back_the_state_it_took(kind):
    objective = OBJECTIVES[kind](OBJECTIVES[kind].settings_type())
    state = objective.state_dict()
    objective.load_state_dict(state)
    assert objective.state_dict() == state


def test_a_discriminator_nobody_listens_to_is_not_asked():
    alone = Gan(GanSettings(adversarial=0, feature_matching=0, l2=2))
    assert alone.discriminator_terms(None, REAL, FAKE) == {}
    assert set(alone.generator_terms(None, REAL, FAKE)) == {"l2"}
