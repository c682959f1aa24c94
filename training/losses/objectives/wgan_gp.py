"""The Wasserstein objective with gradient penalty (Gulrajani et al. 2017)."""

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
    Terms,
    register,
)
from training.losses.objectives.wgan import Wasserstein, WassersteinSettings

# Batch norms: with them a score depends on the whole batch, and so has no gradient of its own.
BATCH_NORM = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True, config=STRICT)
class WganGpSettings(WassersteinSettings):
    """The weights, and the penalty's.

    Attributes:
        penalty: λ, weight of the gradient penalty.
    """

    penalty: float = Field(default=10.0, gt=0)


@register("wgan-gp")
class WganGp(Wasserstein):
    """Algorithm 1: a critic whose gradient has norm 1 between real and made."""

    settings_type = WganGpSettings
    needs_double_backward = True

    def __init__(self, settings: WganGpSettings) -> None:
        super().__init__(settings)
        self.penalty = settings.penalty

    def check(self, generator: Generator, discriminator: Discriminator) -> None:
        """Refuse batch norm in the critic (§4, "No critic batch normalization")."""
        super().check(generator, discriminator)
        if any(isinstance(module, BATCH_NORM) for module in discriminator.modules()):
            raise ValueError(
                "the gradient penalty is on each picture's own gradient, and batch norm makes a "
                "critic's score depend on the others: set discriminator.settings.batch_norm false"
            )

    def discriminator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the Wasserstein terms, and `λ(‖∇f(x̂)‖ - 1)²` (eq. 3)."""
        terms = super().discriminator_terms(discriminator, real, fake)
        penalty = gradient_penalty(discriminator, real, fake)
        return terms | {"gradient_penalty": self.penalty * penalty}


def gradient_penalty(
    discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
) -> Tensor:
    """Penalise a gradient norm other than 1 at a random point between each real and made picture.

    Only the hole counts: real and made differ nowhere else, and elsewhere nothing is to be
    bounded (Yu et al. 2018, "Generative Image Inpainting with Contextual Attention").

    Args:
        discriminator: a critic without batch norm.
        real: real pictures.
        fake: the same pictures filled, or pictures made of noise.

    Returns:
        `(‖∇f(x̂)‖₂ - 1)²` of each picture, `(N,)`, x̂ = εx + (1 - ε)g(z), ε uniform on 0 to 1.
    """
    share = distributed.shard_rows(
        lambda rows: torch.rand(rows, 1, 1, 1, device=real.images.device), len(real.images)
    )
    between = torch.lerp(fake.images.float(), real.images.float(), share).requires_grad_()
    score = discriminator(between, real.caption).score.float()
    # The sum's gradient is each picture's own: no score depends on another picture.
    (slope,) = torch.autograd.grad(score.sum(), between, create_graph=True)
    norm: Tensor = (slope.float() * real.mask).flatten(1).norm(dim=1)
    return (norm - 1).square()
