"""The GAN objective with feature matching, an L2 penalty and mismatched captions."""

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.functional import softplus

from training.losses.objectives.base import (
    STRICT,
    BaseObjective,
    Discriminator,
    DiscriminatorInput,
    Generator,
    Terms,
    register,
)
from training.losses.objectives.terms import (
    check_mismatch,
    hole_l2,
    neighbour_captions,
    paired_terms,
)


@dataclass(frozen=True, config=STRICT)
class GanSettings:
    """Weights of the GAN objective's terms; a term with weight 0 is neither computed nor logged.

    Attributes:
        adversarial: weight of the generator's adversarial term.
        feature_matching: weight of the feature-matching term.
        l2: weight of the mean squared error over the hole.
        mismatch: share of the discriminator's "fake" verdicts that goes to real pictures with
            another picture's caption, 0 to 1; what makes the caption count (Reed et al. 2016).
        real_label: target for real pictures; below 1 is one-sided label smoothing
            (Salimans et al. 2016, §3.4).
    """

    adversarial: float = Field(default=1.0, ge=0)
    feature_matching: float = Field(default=1.0, ge=0)
    l2: float = Field(default=1.0, ge=0)
    mismatch: float = Field(default=0.5, ge=0, le=1)
    real_label: float = Field(default=1.0, gt=0.5, le=1)


@register("gan")
class Gan(BaseObjective):
    """Goodfellow et al. 2014 with the non-saturating generator loss (§3), on logits.

    With the caption as in GAN-CLS (Reed et al. 2016, Algorithm 1): the discriminator must also
    reject real pictures under a wrong caption.
    """

    settings_type = GanSettings

    def __init__(self, settings: GanSettings) -> None:
        self.settings = settings

    def check(self, generator: Generator, discriminator: Discriminator) -> None:
        """Refuse wrong captions where the discriminator does not read captions."""
        check_mismatch(self.settings.mismatch, discriminator)

    @property
    def adversarial_active(self) -> bool:
        """Whether the generator learns from the discriminator; one nobody hears is not trained.

        So a run can begin with the pixels alone, several times as fast, and be resumed with the
        adversary.
        """
        return bool(self.settings.adversarial or self.settings.feature_matching)

    def discriminator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `-log D(x)` and `-log(1 - D(G))`, and the same for wrong captions."""
        s = self.settings
        if not self.adversarial_active:
            return {}
        judged = discriminator(real.images, real.caption)
        terms = {
            "real": real_loss(judged.score, s.real_label),
            "fake": fake_loss(discriminator(fake.images, fake.caption).score) * (1 - s.mismatch),
        }
        if s.mismatch:
            score = discriminator.score_features(
                judged.features[-1], neighbour_captions(real.caption)
            )
            terms["mismatch"] = fake_loss(score) * s.mismatch
        return terms

    def generator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `-log D(G)`, feature matching and the hole's squared error, as weighted."""
        s = self.settings
        if not self.adversarial_active:
            return {"l2": hole_l2(real, fake) * s.l2}
        judged = discriminator(fake.images, fake.caption)
        terms: Terms = {}
        if s.adversarial:
            terms["adversarial"] = real_loss(judged.score) * s.adversarial
        return terms | paired_terms(
            discriminator, real, fake, judged, matching=s.feature_matching, l2=s.l2
        )


def real_loss(score: Tensor, label: float = 1.0) -> Tensor:
    """Cross-entropy of logits against `label`, `(N,)`."""
    score = score.float()
    return label * softplus(-score) + (1 - label) * softplus(score)


def fake_loss(score: Tensor) -> Tensor:
    """Cross-entropy of logits against 0, `(N,)`."""
    return softplus(score.float())
