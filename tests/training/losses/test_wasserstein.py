"""The Wasserstein objectives, held against their formulas."""

import pytest
import torch
from torch import nn

from models.discriminator_outputs import Logits
from tests.training.losses.test_objectives import FAKE, REAL, Judge
from training.common.errors import RecipeError
from training.config.load import load_recipe
from training.losses.objectives.base import DiscriminatorInput
from training.losses.objectives.wgan import (
    WganClip,
    WganClipSettings,
    WganGp,
    WganGpSettings,
    gradient_penalty,
)

SIZE = 8


class LinearCritic(nn.Module):
    """f(x) = w · x, whose gradient is w everywhere; or f(x) = ‖x‖²/2, whose gradient is x."""

    def __init__(self, norm=None):
        super().__init__()
        self.norm = norm
        weight = torch.ones(3 * SIZE * SIZE)
        self.weight = nn.Parameter(weight * (norm or 0) / weight.norm())

    def forward(self, images, caption):
        flat = images.flatten(1)
        score = flat @ self.weight if self.norm else flat.square().sum(1) / 2
        return Logits(score, (images,))


def scenes(count=3, hidden=SIZE):
    mask = torch.zeros(count, 1, SIZE, SIZE)
    mask[:, :, :hidden] = 1
    levels = torch.arange(1.0, count + 1).view(-1, 1, 1, 1) / 10
    images = levels.expand(-1, 3, SIZE, SIZE)
    scene = DiscriminatorInput(images, mask, torch.zeros(count, 0))
    return scene, scene


@pytest.mark.parametrize(("norm", "penalty"), [(1.0, 0.0), (3.0, 4.0), (0.5, 0.25)])
def test_linear_critic_penalty_is_slope_distance_from_1(norm, penalty):
    real, fake = scenes()
    fake = fake._replace(images=torch.randn(3, 3, SIZE, SIZE))
    found = gradient_penalty(LinearCritic(norm), real, fake)
    assert found.tolist() == pytest.approx([penalty] * 3, abs=1e-5)


def test_the_penalty_is_each_pictures_own():
    real, fake = scenes()  # the same pictures, so every point between them is the picture
    norms = real.images.flatten(1).norm(dim=1)
    assert torch.allclose(gradient_penalty(LinearCritic(), real, fake), (norms - 1).square())


def test_the_penalty_counts_in_the_hole_alone():
    real, fake = scenes(hidden=SIZE // 4)
    found = gradient_penalty(LinearCritic(2.0), real, fake)
    assert found.tolist() == pytest.approx([0.0] * 3, abs=1e-6)  # a quarter of w has half its norm


def test_the_penalty_teaches_the_critic():
    critic = LinearCritic(3.0)
    gradient_penalty(critic, *scenes()).mean().backward()
    downhill = critic.weight.detach() - 0.1 * critic.weight.grad
    assert abs(downhill.norm() - 1) < abs(critic.weight.detach().norm() - 1)


def test_batch_norm_with_gradient_penalty_is_refused():
    with pytest.raises(
        RecipeError, match=r"batch norm makes a critic's score depend on the others"
    ):
        load_recipe("wgan-gp", ["discriminator.settings.batch_norm=true"])


def test_compiling_a_critic_with_gradient_penalty_is_refused():
    with pytest.raises(RecipeError, match=r"torch.compile cannot"):
        load_recipe("wgan-gp", ["engine.compile=true"])


def test_critic_terms_are_scores_and_estimate_their_distance():
    objective = WganClip(WganClipSettings(mismatch=0.5))
    terms = objective.discriminator_terms(Judge(), REAL, FAKE)
    assert terms["real"].tolist() == pytest.approx([-1.5, 0.5])  # Judge: picture's mean + caption
    assert terms["fake"].tolist() == pytest.approx([0.25, -0.75])
    assert terms["mismatch"].tolist() == pytest.approx([-0.25, 0.75])
    figures = {f"discriminator/{name}": float(term.mean()) for name, term in terms.items()}
    assert objective.after_step(figures)["wasserstein"] == pytest.approx(1.0)


def test_the_generator_seeks_a_high_score():
    terms = WganGp(WganGpSettings(adversarial=2.0)).generator_terms(Judge(), REAL, FAKE)
    assert list(terms) == ["adversarial"]
    assert terms["adversarial"].tolist() == pytest.approx([-1.0, 3.0])


def test_every_parameter_is_clipped_after_a_critic_step():
    critic = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    WganClip(WganClipSettings(clip=0.01)).after_discriminator_step(critic)
    assert max(float(p.detach().abs().max()) for p in critic.parameters()) == pytest.approx(0.01)
