"""The GAN objective with feature matching, an L2 penalty and mismatched captions."""

from typing import Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.functional import softplus

from training.common import distributed
from training.losses.objectives.base import (
    STRICT,
    BaseObjective,
    Discriminator,
    DiscriminatorInput,
    Generator,
    Terms,
    hole_l2,
    register,
)


class ScoreObjective(BaseObjective):
    """An objective on one score per image, with captions as in GAN-CLS.

    The discriminator must also reject real images with mismatched captions (Reed et al. 2016,
    "Generative adversarial text to image synthesis", Algorithm 1). Subclasses define the losses of
    a score.
    """

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def check(self, generator: Generator, discriminator: Discriminator) -> None:
        """Refuse mismatched captions where the discriminator does not read captions."""
        if self.settings.mismatch and not hasattr(discriminator, "score_features"):
            raise ValueError(
                "objective.settings.mismatch needs a discriminator that reads captions: set it to 0"
            )

    def real_loss(self, score: Tensor) -> Tensor:
        """Return the discriminator's loss of real images with these scores, `(N,)`."""
        raise NotImplementedError

    def fake_loss(self, score: Tensor) -> Tensor:
        """Return the discriminator's loss of composites with these scores, `(N,)`."""
        raise NotImplementedError

    def generator_loss(self, score: Tensor) -> Tensor:
        """Return the generator's loss of composites with these scores, `(N,)`."""
        raise NotImplementedError

    def discriminator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the losses of real images, composites and mismatched captions."""
        mismatch = self.settings.mismatch
        real_output = discriminator(real.images, real.caption)
        fake_score = discriminator(fake.images, fake.caption).score
        terms = {
            "real": self.real_loss(real_output.score),
            "fake": self.fake_loss(fake_score) * (1 - mismatch),
        }
        if mismatch:
            captions = neighbour_captions(real.caption)
            score = discriminator.score_features(real_output.features[-1], captions)
            terms["mismatch"] = self.fake_loss(score) * mismatch
        return terms

    def generator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the adversarial loss, feature matching and the hole's squared error, weighted."""
        w = self.settings
        output = discriminator(fake.images, fake.caption)
        terms: Terms = {}
        if w.adversarial:
            terms["adversarial"] = self.generator_loss(output.score) * w.adversarial
        if w.feature_matching:
            with torch.no_grad():
                target = discriminator(real.images, real.caption).features
            distance = feature_matching(target, output.features)
            terms["feature_matching"] = distance * w.feature_matching
        if w.l2:
            terms["l2"] = hole_l2(real, fake) * w.l2
        return terms


@dataclass(frozen=True, config=STRICT)
class GanSettings:
    """Weights of the GAN objective's terms; a term with weight 0 is neither computed nor logged.

    Attributes:
        adversarial: weight of the generator's adversarial term.
        feature_matching: weight of the feature-matching term.
        l2: weight of the mean squared error over the hole.
        mismatch: fraction of the discriminator's "fake" loss that is of real images with another
            image's caption, 0 to 1; it makes the generator use the caption (Reed et al. 2016).
        real_label: target for real images; below 1 is one-sided label smoothing
            (Salimans et al. 2016, §3.4).
    """

    adversarial: float = Field(default=1.0, ge=0)
    feature_matching: float = Field(default=1.0, ge=0)
    l2: float = Field(default=1.0, ge=0)
    mismatch: float = Field(default=0.5, ge=0, le=1)
    real_label: float = Field(default=1.0, gt=0.5, le=1)


@register("gan")
class Gan(ScoreObjective):
    """Goodfellow et al. 2014 with the non-saturating generator loss (§3), on logits."""

    settings_type = GanSettings

    @property
    def adversarial_active(self) -> bool:
        """Whether any term uses the discriminator; else it is not trained.

        A run can train on pixels alone at first, several times as fast, and be resumed with the
        adversarial terms.
        """
        return bool(self.settings.adversarial or self.settings.feature_matching)

    def real_loss(self, score: Tensor) -> Tensor:
        """Return `-log D(x)`."""
        return cross_entropy(score, self.settings.real_label)

    def fake_loss(self, score: Tensor) -> Tensor:
        """Return `-log(1 - D(G))`."""
        return softplus(score.float())

    def generator_loss(self, score: Tensor) -> Tensor:
        """Return `-log D(G)`."""
        return cross_entropy(score, 1.0)

    def discriminator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the losses, unless no term of the generator uses the discriminator."""
        if not self.adversarial_active:
            return {}
        return super().discriminator_terms(discriminator, real, fake)

    def generator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the losses; the discriminator is not called if no term uses it."""
        if not self.adversarial_active:
            return {"l2": hole_l2(real, fake) * self.settings.l2}
        return super().generator_terms(discriminator, real, fake)


def cross_entropy(score: Tensor, label: float) -> Tensor:
    """Cross-entropy of logits `(N,)` against `label`, `(N,)`."""
    score = score.float()
    return label * softplus(-score) + (1 - label) * softplus(score)


def feature_matching(real: tuple[Tensor, ...], fake: tuple[Tensor, ...]) -> Tensor:
    """Squared distance between discriminator features of each image and its composite, `(N,)`.

    The mean over each level `(N, C, H, W)`, averaged over levels; no gradient flows into `real`.
    Salimans et al. 2016, "Improved techniques for training GANs", §3.1, in the paired form of
    Larsen et al. 2016 (VAE/GAN, eq. 7).
    """
    distances = [
        (f.float() - r.detach().float()).square().flatten(1).mean(1)
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(distances).mean(0)


def neighbour_captions(caption: Tensor) -> Tensor:
    """Return for each image the caption of its neighbour (Reed et al. 2016, Algorithm 1, ŝ).

    Batches are shuffled, so the neighbour is random; it may be on another rank.
    """
    return distributed.shard_rows(
        lambda _: distributed.all_rows(caption).roll(1, dims=0), len(caption)
    )
