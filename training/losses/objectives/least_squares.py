"""The least-squares objective on patches, with the mean absolute error over the hole."""

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from models.discriminator_outputs import PatchLogits
from training.losses.objectives.base import (
    STRICT,
    BaseObjective,
    Discriminator,
    DiscriminatorInput,
    Terms,
    hole_l1,
    register,
)


@dataclass(frozen=True, config=STRICT)
class LeastSquaresSettings:
    """Weights of the generator's terms.

    Attributes:
        adversarial: weight of the squared distance of the fills' scores to the label 1, "real".
        l1: weight of the mean absolute error over the hole.
    """

    adversarial: float = Field(default=1.0, gt=0)
    l1: float = Field(default=1.0, ge=0)


@register("least-squares")
class LeastSquares(BaseObjective):
    """Mao et al. 2017, "Least Squares Generative Adversarial Networks", eq. 9, on every patch."""

    settings_type = LeastSquaresSettings
    output_type = PatchLogits

    def __init__(self, settings: LeastSquaresSettings) -> None:
        self.settings = settings

    def discriminator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `(D(x) - 1)² / 2` and `D(G)² / 2`."""
        real_scores = discriminator(real.images, real.caption).scores
        fake_scores = discriminator(fake.images, fake.caption).scores
        return {
            "real": squared_error(real_scores, 1.0) / 2,
            "fake": squared_error(fake_scores, 0.0) / 2,
        }

    def generator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `(D(G) - 1)²` and the hole's absolute error, weighted."""
        s = self.settings
        scores = discriminator(fake.images, fake.caption).scores
        terms = {"adversarial": squared_error(scores, 1.0) * s.adversarial}
        return terms | ({"l1": hole_l1(real, fake) * s.l1} if s.l1 else {})


def squared_error(scores: Tensor, label: float) -> Tensor:
    """Mean squared distance of scores `(N, patches)` to a label, `(N,)`."""
    return (scores.float() - label).square().mean(1)
