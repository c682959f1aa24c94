"""The Wasserstein objectives: weight clipping, and the gradient penalty.

Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN"; Gulrajani et al. 2017, "Improved training of
Wasserstein GANs".
"""

from collections.abc import Mapping

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from training.common import distributed
from training.losses.objectives.base import (
    STRICT,
    Discriminator,
    DiscriminatorInput,
    Generator,
    Metrics,
    Terms,
    register,
)
from training.losses.objectives.gan import ScoreObjective

# With batch norm a score depends on the whole batch, and has no gradient of its own image.
BATCH_NORM = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True, config=STRICT)
class WassersteinSettings:
    """Weights of the terms; one of weight 0 is neither computed nor logged.

    Attributes:
        adversarial: weight of the generator's adversarial term.
        feature_matching: weight of the feature-matching term, for inpainting.
        l2: weight of the mean squared error over the hole, for inpainting.
        mismatch: fraction of the critic's "fake" loss that is of real images with another image's
            caption (Reed et al. 2016).
    """

    adversarial: float = Field(default=1.0, ge=0)
    feature_matching: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    mismatch: float = Field(default=0.0, ge=0, lt=1)


class Wasserstein(ScoreObjective):
    """`W(P_r, P_θ) = sup E f(x) - E f(g(z))` over 1-Lipschitz critics f (2017, eq. 2).

    Subclasses bound the critic's slope.
    """

    def real_loss(self, score: Tensor) -> Tensor:
        """Return `-f(x)` (eq. 3)."""
        return -score.float()

    def fake_loss(self, score: Tensor) -> Tensor:
        """Return `f(g(z))` (eq. 3)."""
        return score.float()

    def generator_loss(self, score: Tensor) -> Tensor:
        """Return `-f(g(z))` (Theorem 3)."""
        return -score.float()

    def after_step(self, metrics: Mapping[str, float]) -> Metrics:
        """Log the estimate `E f(x) - E f(g(z))`: the distance, up to the Lipschitz constant."""
        real = -metrics["discriminator/real"]
        return {"wasserstein": real - metrics["discriminator/fake"] / (1 - self.settings.mismatch)}


@dataclass(frozen=True, config=STRICT)
class WganClipSettings(WassersteinSettings):
    """The weights, and the bound.

    Attributes:
        clip: c: every parameter of the critic is kept in -c to c.
    """

    clip: float = Field(default=0.01, gt=0)


@register("wgan-clip")
class WganClip(Wasserstein):
    """Arjovsky et al. 2017, Algorithm 1: clipped parameters bound the critic's slope."""

    settings_type = WganClipSettings

    def __init__(self, settings: WganClipSettings) -> None:
        super().__init__(settings)
        self.weight_clip = settings.clip

    @torch.no_grad()
    def after_discriminator_step(self, discriminator: Discriminator) -> None:
        """`w ← clip(w, -c, c)` (line 7)."""
        for parameter in discriminator.parameters():
            parameter.clamp_(-self.settings.clip, self.settings.clip)


@dataclass(frozen=True, config=STRICT)
class WganGpSettings(WassersteinSettings):
    """The weights, and the penalty's.

    Attributes:
        penalty: λ, weight of the gradient penalty.
    """

    penalty: float = Field(default=10.0, gt=0)


@register("wgan-gp")
class WganGp(Wasserstein):
    """Gulrajani et al. 2017, Algorithm 1: a critic with gradient norm 1 between real and fake."""

    settings_type = WganGpSettings
    needs_double_backward = True

    def check(self, generator: Generator, discriminator: Discriminator) -> None:
        """Refuse batch norm in the critic (§4, "No critic batch normalization")."""
        super().check(generator, discriminator)
        if any(isinstance(module, BATCH_NORM) for module in discriminator.modules()):
            raise ValueError(
                "the gradient penalty is on each image's own gradient, and batch norm makes a "
                "critic's score depend on the others: set discriminator.settings.batch_norm false"
            )

    def discriminator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the Wasserstein terms, and `λ(‖∇f(x̂)‖ - 1)²` (eq. 3)."""
        terms = super().discriminator_terms(discriminator, real, fake)
        penalty = gradient_penalty(discriminator, real, fake)
        return terms | {"gradient_penalty": self.settings.penalty * penalty}


def gradient_penalty(
    discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
) -> Tensor:
    """Penalty on a gradient norm other than 1 at a random point between each pair of images.

    Only the gradient in the hole counts, since the images of a pair are equal elsewhere (Yu et al.
    2018, "Generative image inpainting with contextual attention"). The critic has no batch norm.

    Returns:
        `(‖∇f(x̂)‖₂ - 1)²` of each pair, `(N,)`, x̂ = εx + (1 - ε)g(z), ε uniform on 0 to 1.
    """
    epsilon = distributed.shard_rows(
        lambda rows: torch.rand(rows, 1, 1, 1, device=real.images.device), len(real.images)
    )
    between = torch.lerp(fake.images.float(), real.images.float(), epsilon).requires_grad_()
    score = discriminator(between, real.caption).score.float()
    # The sum's gradient is each image's own: no score depends on another image.
    (slope,) = torch.autograd.grad(score.sum(), between, create_graph=True)
    norm: Tensor = (slope.float() * real.mask).flatten(1).norm(dim=1)
    return (norm - 1).square()
