"""The boundary equilibrium objective (Berthelot, Schumm & Metz 2017)."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from models.discriminator_outputs import Reconstruction
from training.losses.objectives.base import (
    STRICT,
    BaseObjective,
    Discriminator,
    DiscriminatorInput,
    Metrics,
    Terms,
    hole_l2,
    hole_mean,
    register,
)


@dataclass(frozen=True, config=STRICT)
class BeganLossSettings:
    """Settings of the equilibrium, and the weight of an L2 term.

    Attributes:
        gamma: γ = E L(G(z)) / E L(x), the diversity ratio (eq. 4): lower is sharper and less
            diverse.
        lambda_k: λ_k, the learning rate of k.
        norm: η of `L(v) = |v - D(v)|^η` (eq. 1).
        l2: weight of the mean squared error over the hole in the generator's loss, for inpainting.
    """

    gamma: float = Field(default=0.5, gt=0, le=1)
    lambda_k: float = Field(default=1e-3, gt=0, lt=1)
    norm: Literal[1, 2] = 1
    l2: float = Field(default=0.0, ge=0)


@register("began")
class Began(BaseObjective):
    """§3.4: `L_D = L(x) - k·L(G(z))`, `L_G = L(G(z))`, and k keeps γ·L(x) equal to L(G(z))."""

    settings_type = BeganLossSettings
    output_type = Reconstruction
    plateau_metric = "M"

    def __init__(self, settings: BeganLossSettings) -> None:
        self.settings = settings
        self.k = 0.0

    def discriminator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `L(x)` and `-k·L(G(z))`."""
        return {
            "real": self.loss(discriminator, real),
            "fake": -self.k * self.loss(discriminator, fake),
        }

    def generator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `L(G(z))`, and the hole's weighted squared error."""
        terms = {"adversarial": self.loss(discriminator, fake)}
        if self.settings.l2:
            terms["l2"] = hole_l2(real, fake) * self.settings.l2
        return terms

    def loss(self, discriminator: Discriminator, batch: DiscriminatorInput) -> Tensor:
        """Return `L(v)`, the mean over the hole of `|v - D(v)|^η`, `(N,)`.

        Real and generated images are equal around the hole. If the context counted, it would keep
        L(G(z)) above γ·L(x) whatever the fill is, and k at 0.
        """
        reconstruction = discriminator(batch.images, batch.caption).images
        error = (batch.images.float() - reconstruction.float()).abs()
        return hole_mean(error if self.settings.norm == 1 else error.square(), batch.mask)

    def after_step(self, metrics: Mapping[str, float]) -> Metrics:
        """`k ← clip(k + λ_k(γL(x) - L(G(z))), 0, 1)`, and the measures to log.

        Returns:
            `k`; `M = L(x) + |γL(x) - L(G(z))|`, the global measure of convergence (§3.4.1); and
            `g = L(G(z)) / L(x)`, which k controls to be γ.
        """
        real, fake = metrics["discriminator/real"], metrics["generator/adversarial"]
        balance = self.settings.gamma * real - fake
        self.k = min(max(self.k + self.settings.lambda_k * balance, 0.0), 1.0)
        return {"k": self.k, "M": real + abs(balance), "g": fake / real if real else 0.0}

    def state_dict(self) -> dict[str, float]:
        """Return k."""
        return {"k": self.k}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restore k."""
        self.k = float(state["k"])
