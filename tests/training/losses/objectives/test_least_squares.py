"""The least-squares objective, held against its formulas."""

import pytest
import torch

from models.discriminator_outputs import PatchLogits
from models.geometry import hole_mask
from training.losses.objectives.base import DiscriminatorInput
from training.losses.objectives.least_squares import LeastSquares, LeastSquaresSettings


class Judge(torch.nn.Module):
    """Scores one place by the picture's mean, another by twice that."""

    def forward(self, images, caption):
        mean = images.flatten(1).mean(1)
        return PatchLogits(torch.stack([mean, 2 * mean], dim=1), (images,))


def scene(first, second):
    images = torch.tensor([first, second])[:, None, None, None].expand(2, 3, 64, 64)
    return DiscriminatorInput(images, hole_mask(2), torch.zeros(2, 0))


REAL, FAKE = scene(0.5, 1.0), scene(0.25, -0.5)


def test_discriminator_terms_are_half_squared_distances_from_targets():
    objective = LeastSquares(LeastSquaresSettings())
    terms = objective.discriminator_terms(Judge(), REAL, FAKE)
    # Squares of 0.5 - 1 and 1 - 1; of 1 - 1 and 2 - 1.
    assert terms["real"].tolist() == pytest.approx([0.125 / 2, 0.5 / 2])
    # Squares of 0.25 and 0.5; of -0.5 and -1.
    assert terms["fake"].tolist() == pytest.approx([0.15625 / 2, 0.625 / 2])


def test_places_are_judged_before_they_are_averaged():
    torn = LeastSquares(LeastSquaresSettings()).generator_terms(Judge(), REAL, scene(2 / 3, 0.0))
    assert torn["adversarial"][0] == pytest.approx(1 / 9)  # the mean score is 1


def test_generator_terms_are_weighted_and_hole_error_only():
    objective = LeastSquares(LeastSquaresSettings(adversarial=0.001, l1=0.999))
    outside = FAKE.images.masked_fill(FAKE.mask == 0, 9.0)
    terms = objective.generator_terms(Judge(), REAL, FAKE)
    assert terms["adversarial"][0] == pytest.approx(0.001 * (0.75**2 + 0.5**2) / 2)
    assert terms["l1"].tolist() == pytest.approx([0.999 * 0.25, 0.999 * 1.5])
    elsewhere = objective.generator_terms(Judge(), REAL, FAKE._replace(images=outside))
    assert torch.equal(elsewhere["l1"], terms["l1"])
