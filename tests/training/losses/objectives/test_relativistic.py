"""R3GAN's adversary for the flagship."""

import pytest
import torch

from models.discriminators import DISCRIMINATORS
from models.discriminators.projected import FrozenFeatures
from models.geometry import hole_mask
from training.losses.objectives.base import DiscriminatorInput
from training.losses.objectives.relativistic import (
    Relativistic,
    RelativisticSettings,
    squared_slope,
)

ROWS, DIM = 3, 384


@pytest.fixture
def objective():
    return Relativistic(RelativisticSettings(warmup=0, penalty=3.0, mismatch=0.5))


def looked(seed, rows=ROWS):
    rng = torch.Generator().manual_seed(seed)
    return FrozenFeatures(torch.randn(rows, 3, 48, 48, generator=rng), (), torch.zeros(rows, 0))


def scene(seed):
    images = torch.zeros(ROWS, 3, 64, 64)
    caption = torch.nn.functional.normalize(
        torch.randn(ROWS, DIM, generator=torch.Generator().manual_seed(9))
    )
    return DiscriminatorInput(images, hole_mask(ROWS), caption, features=looked(seed))


class Brightness:
    """Scores a picture by the sum of its pixels times a weight, whatever the caption."""

    def __init__(self, weight):
        self.weight = torch.tensor(weight, requires_grad=True)

    def scores(self, seen, *captions):
        return tuple([self.weight * seen.window.flatten(1).sum(1, keepdim=True)] for _ in captions)


def test_penalty_is_half_gamma_times_squared_gradient_norms(objective):
    terms = objective.discriminator_terms(Brightness(0.1), scene(0), scene(1))
    expected = torch.full((ROWS,), 3.0 / 2 * 0.01 * 3 * 48 * 48)
    assert torch.allclose(terms["r1"], expected) and torch.allclose(terms["r2"], expected)


def test_penalty_has_its_own_gradient_in_the_discriminator():
    torch.manual_seed(0)
    settings = {"caption_dim": DIM, "width": 4, "patch_width": 4}
    network = DISCRIMINATORS["projected-pixels"](settings)
    seen = looked(0)._replace(window=looked(0).window.requires_grad_())
    (scores,) = network.scores(seen, torch.zeros(ROWS, DIM))
    squared_slope(scores, seen).sum().backward()
    slopes = [p.grad for p in network.heads.parameters() if p.grad is not None]
    assert any(slope.abs().sum() > 0 for slope in slopes)


def test_only_the_score_difference_of_a_pair_counts(objective):
    real, fake = scene(0), scene(1)
    both = real._replace(features=fake.features)
    terms = objective.discriminator_terms(Brightness(1.0), both, fake)
    assert torch.allclose(terms["fake"], torch.full((ROWS,), 2.0).log())
    weigher = Brightness(1.0)
    lead = (real.features.window - fake.features.window).flatten(1).sum(1)
    ours = objective.discriminator_terms(weigher, real, fake)["fake"]
    assert torch.allclose(ours, torch.nn.functional.softplus(-lead), rtol=1e-4)
    theirs = objective.adversarial_loss(weigher, real, fake)
    assert torch.allclose(theirs, torch.nn.functional.softplus(lead), rtol=1e-4)


def test_without_normalisation_no_weight_is_held():
    network = DISCRIMINATORS["projected-unnormalised"]({"caption_dim": DIM, "width": 4})
    names = [name for name, _ in network.named_parameters()]
    assert not any("parametrizations" in name for name in names)
    assert "heads.0.score.weight" in names
