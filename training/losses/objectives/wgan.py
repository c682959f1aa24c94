"""The Wasserstein objective with weight clipping (Arjovsky, Chintala & Bottou 2017)."""

from collections.abc import Mapping

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from training.losses.objectives.base import (
    STRICT,
    BaseObjective,
    Discriminator,
    DiscriminatorInput,
    Generator,
    Metrics,
    Terms,
    register,
)
from training.losses.objectives.terms import check_mismatch, neighbour_captions, paired_terms


@dataclass(frozen=True, config=STRICT)
class WassersteinSettings:
    """Weights of the terms; one of weight 0 is neither computed nor logged.

    Attributes:
        adversarial: weight of the generator's adversarial term.
        feature_matching: weight of the feature-matching term, for inpainting.
        l2: weight of the mean squared error over the hole, for inpainting.
        mismatch: share of the critic's "fake" side that goes to real pictures with another
            picture's caption (Reed et al. 2016).
    """

    adversarial: float = Field(default=1.0, ge=0)
    feature_matching: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    mismatch: float = Field(default=0.0, ge=0, lt=1)


class Wasserstein(BaseObjective):
    """A critic f that separates real from made as far as its Lipschitz bound lets it.

    `W(P_r, P_θ) = sup E f(x) - E f(g(z))` over 1-Lipschitz f (eq. 2, Kantorovich–Rubinstein); how
    f is bounded is what the two objectives below differ in.
    """

    def __init__(self, settings: WassersteinSettings) -> None:
        self.settings = settings

    def check(self, generator: Generator, discriminator: Discriminator) -> None:
        """Refuse wrong captions where the critic does not read captions."""
        check_mismatch(self.settings.mismatch, discriminator)

    def discriminator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `-f(x)` and `f(g(z))`, and the latter for wrong captions too (eq. 3)."""
        mismatch = self.settings.mismatch
        judged = discriminator(real.images, real.caption)
        made = discriminator(fake.images, fake.caption).score
        terms = {"real": -judged.score.float(), "fake": made.float() * (1 - mismatch)}
        if mismatch:
            score = discriminator.score_features(
                judged.features[-1], neighbour_captions(real.caption)
            )
            terms["mismatch"] = score.float() * mismatch
        return terms

    def generator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `-f(g(z))` (Theorem 3), feature matching and the hole's squared error."""
        w = self.settings
        judged = discriminator(fake.images, fake.caption)
        terms = {"adversarial": -judged.score.float() * w.adversarial} if w.adversarial else {}
        return terms | paired_terms(
            discriminator, real, fake, judged, matching=w.feature_matching, l2=w.l2
        )

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
    """Algorithm 1: parameters in a box bound the critic's slope."""

    settings_type = WganClipSettings

    def __init__(self, settings: WganClipSettings) -> None:
        super().__init__(settings)
        self.clip = settings.clip
        self.weight_clip = settings.clip

    @torch.no_grad()
    def after_discriminator_step(self, discriminator: Discriminator) -> None:
        """`w ← clip(w, -c, c)` (line 7)."""
        for parameter in discriminator.parameters():
            parameter.clamp_(-self.clip, self.clip)
