"""The flagship's objective with R3GAN's adversary in the place of the hinge."""

from __future__ import annotations

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn.functional import softplus

from models.discriminators.projected import FrozenFeatures
from training.losses.objectives.base import DiscriminatorInput, Terms, register
from training.losses.objectives.flagship import (
    Flagship,
    FlagshipSettings,
    judged_caption,
    mismatched_captions,
)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class RelativisticSettings(FlagshipSettings):
    """The shares, and the penalty's weight.

    Attributes:
        penalty: γ, weight of R1 and R2.
    """

    penalty: float = Field(default=1.0, gt=0)


@register("steered-relativistic")
class Relativistic(Flagship):
    """Each fill is set against the real centre of its own picture.

    Huang et al. 2024, "The GAN is dead; long live the GAN! A modern GAN baseline", eq. 2 and 4. The
    gradients of R1 and R2 are with respect to what the heads see, frozen features and pixels: the
    way through the frozen network and back twice would cost more than all the rest of a step.
    """

    settings_type = RelativisticSettings
    needs_double_backward = True

    def __init__(self, settings: RelativisticSettings) -> None:
        super().__init__(settings)
        self.settings: RelativisticSettings = settings

    def discriminator_terms(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `softplus(D(G) - D(x))`, the same for wrong captions, and `γ/2 (R1 + R2)`."""
        if not self.adversarial_active:
            return {}
        wrong, exists = mismatched_captions(real.caption)
        caption = judged_caption(real, fake)
        seen, made = differentiable(real.features), differentiable(fake.features)
        right, mismatched = discriminator.scores(seen, real.caption, wrong)
        (shown,) = discriminator.scores(made, caption)
        terms = {"fake": behind(shown, right)}
        if self.settings.mismatch:
            terms["mismatch"] = behind(mismatched, right) * exists * self.settings.mismatch
        half = self.settings.penalty / 2
        terms["r1"] = half * squared_slope(right, seen)
        terms["r2"] = half * squared_slope(shown, made)
        return terms

    def adversarial_loss(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Tensor:
        """Return `softplus(D(x) - D(G))`, `(N,)`."""
        caption = judged_caption(real, fake)
        with torch.no_grad():
            (right,) = discriminator.scores(real.features, caption)
        (made,) = discriminator.scores(fake.features, caption)
        return behind(right, made)


def behind(less: list[Tensor], more: list[Tensor]) -> Tensor:
    """Return `softplus(less - more)`, of each head's mean score, the mean over heads, `(N,)`."""
    pairs = zip(less, more, strict=True)
    apart = [softplus(a.float().mean(1) - b.float().mean(1)) for a, b in pairs]
    return torch.stack(apart).mean(0)


def differentiable(looked: FrozenFeatures) -> FrozenFeatures:
    """Return the same, with what the heads see as the beginning of a graph."""
    window = looked.window.detach().requires_grad_()
    features = tuple(f.detach().requires_grad_() for f in looked.features)
    return FrozenFeatures(window, features, looked.code.detach())


def squared_slope(scores: list[Tensor], seen: FrozenFeatures) -> Tensor:
    """Return the squared length of the gradient of each picture's mean score, `(N,)`."""
    whole = torch.stack([one.float().mean(1) for one in scores]).mean(0).sum()
    slopes = torch.autograd.grad(
        whole, [seen.window, *seen.features], create_graph=True, allow_unused=True
    )
    return torch.stack([s.square().sum((1, 2, 3)) for s in slopes if s is not None]).sum(0)
