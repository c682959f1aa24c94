"""The BEGAN objective, held against its formulas and a sequence worked by hand."""

import pytest
import torch

from models.discriminator_outputs import Reconstruction
from tests.training.losses.test_objectives import scene
from training.losses.objectives.began import Began, BeganLossSettings

REAL, FAKE = scene(0.4, [1.0, 2.0]), scene(-0.2, [1.0, 2.0])


class Half(torch.nn.Module):
    """Rebuilds every picture at half its level, so L(v) is half of |v|."""

    def forward(self, images, caption):
        return Reconstruction(images / 2, caption)


def follow(objective, *steps):
    """Feed (L(x), L(G(z))) pairs; return what is logged at each."""
    names = "discriminator/real", "generator/adversarial"
    return [objective.after_step(dict(zip(names, step, strict=True))) for step in steps]


def test_k_follows_a_sequence_worked_by_hand():
    """γ 0.5, λ 0.1: k + 0.1·(0.5·L(x) - L(G)), clipped to 0 and 1.

    0 + 0.1·(0.5 - 1.0) → 0 (clipped); + 0.1·(1.0 - 0.6) = 0.04; + 0.1·(0.5 - 0.25) = 0.065;
    + 0.1·(20 - 1) → 1 (clipped); + 0.1·(0.5 - 2.5) = 0.8.
    """
    objective = Began(BeganLossSettings(gamma=0.5, lambda_k=0.1))
    logged = follow(objective, (1.0, 1.0), (2.0, 0.6), (1.0, 0.25), (40.0, 1.0), (1.0, 2.5))
    assert [entry["k"] for entry in logged] == pytest.approx([0.0, 0.04, 0.065, 1.0, 0.8])


def test_the_measures_of_convergence_and_balance_are_logged():
    (logged,) = follow(Began(BeganLossSettings(gamma=0.5)), (0.8, 0.1))
    assert logged["M"] == pytest.approx(0.8 + 0.3)
    assert logged["g"] == pytest.approx(0.125)


def test_the_terms_are_the_papers():
    objective = Began(BeganLossSettings(norm=1))
    objective.load_state_dict({"k": 0.3})
    terms = objective.discriminator_terms(Half(), REAL, FAKE)
    assert terms["real"].tolist() == pytest.approx([0.2, 0.2])
    assert terms["fake"].tolist() == pytest.approx([-0.03, -0.03])
    assert objective.generator_terms(Half(), REAL, FAKE)["adversarial"].tolist() == (
        pytest.approx([0.1, 0.1])
    )


def test_squared_loss_and_penalty_are_optional():
    terms = Began(BeganLossSettings(norm=2, l2=2.0)).generator_terms(Half(), REAL, FAKE)
    assert terms["adversarial"].tolist() == pytest.approx([0.01, 0.01])
    assert terms["l2"].tolist() == pytest.approx([2 * 0.36] * 2)


def test_pixels_around_the_hole_do_not_count():
    around = FAKE._replace(images=torch.where(FAKE.mask > 0, FAKE.images, 0.9))
    objective = Began(BeganLossSettings())
    assert objective.loss(Half(), around).tolist() == pytest.approx([0.1, 0.1])


def test_k_survives_a_resume():
    objective = Began(BeganLossSettings(lambda_k=0.1))
    follow(objective, (2.0, 0.6))
    resumed = Began(BeganLossSettings(lambda_k=0.1))
    resumed.load_state_dict(objective.state_dict())
    assert follow(resumed, (1.0, 0.25)) == follow(objective, (1.0, 0.25))
