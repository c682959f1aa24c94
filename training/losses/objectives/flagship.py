"""The flagship's objective: L1, diversity, adversarial, feature and caption-contrastive terms."""

from collections.abc import Mapping

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from models.frozen.caption_scorer import CAPTION_DIM, load_caption_scorer
from models.frozen.efficientnet import PACKAGE, weights_path
from models.geometry import hide, paste
from training.losses.frozen import (
    RESOLUTIONS,
    caption_loss,
    feature_distance,
    has_caption,
    hinge_loss,
    load_hole_scorer,
    mean_score,
    mismatched_captions,
    own_caption,
    random_rows,
    sample_hole_view,
    sample_view,
)
from training.losses.objectives.base import (
    STRICT,
    BaseObjective,
    Discriminator,
    DiscriminatorInput,
    Generator,
    Metrics,
    Terms,
    register,
    sample_noise,
)
from training.losses.objectives.flagship_terms import (
    NUM_SAMPLES,
    GradientBalancer,
    posterior_loss,
    zero_noise_loss,
)


@dataclass(frozen=True, config=STRICT)
class FlagshipSettings:
    """Weights of the generator's terms, and the training schedule.

    The weight of `adversarial`, `features`, `caption` and `hole` is the norm of the term's gradient
    at the generator's output, in units of the pixel term's. A term with weight 0 is neither
    computed nor logged.

    Attributes:
        adversarial: weight of the adversarial term.
        features: weight of the distance in pretrained features (Suvorov et al. 2021, LaMa, §2.2).
        caption: weight of the contrastive caption term, by the scorer that sees the hole and its
            surroundings.
        hole: weight of the contrastive caption term by the scorer that sees the hole alone.
        spread: reward for samples that differ; 1 for the posterior's standard deviation. Applies
            after the warm-up.
        mismatch: weight of the discriminator's "fake" term for real images with mismatched
            captions.
        warmup: generator steps with the pixel term alone, which are several times as fast.
        jitter: largest shift of the discriminator's window in pixels, either way.
        noise: standard deviation of the noise on the frozen network's input, in units of -1 to 1.
        mismatched_caption_prob: probability that a fill is conditioned on another image's caption.
            Such fills have adversarial and caption terms only.
        resample_fraction: fraction of the holes that are filled twice, for the pixel term; the
            decoder's cost grows with it.
        mean: weight of the squared error of fills at zero noise. They then approximate the mean of
            all samples, as temperature 0 should give.
        mean_after: steps after the warm-up from which `mean` applies; earlier it makes fills
            smooth before they are realistic.
        discriminator_warmup: steps after the warm-up in which only the discriminator is trained,
            for a generator that starts from weights of another run.
    """

    adversarial: float = Field(default=4.0, ge=0)
    features: float = Field(default=2.0, ge=0)
    caption: float = Field(default=2.0, ge=0)
    hole: float = Field(default=0.0, ge=0)
    spread: float = Field(default=0.4, ge=0, le=1)
    mismatch: float = Field(default=0.5, ge=0)
    warmup: int = Field(default=1200, ge=0)
    jitter: int = Field(default=4, ge=0, le=8)
    noise: float = Field(default=0.05, ge=0, le=1)
    mismatched_caption_prob: float = Field(default=0.2, ge=0, le=1)
    resample_fraction: float = Field(default=1.0, gt=0, le=1)
    mean: float = Field(default=0.0, ge=0)
    mean_after: int = Field(default=0, ge=0)
    discriminator_warmup: int = Field(default=0, ge=0)


@register("steered")
class Flagship(BaseObjective):
    """Hinge loss on pretrained features, Bendel's regulariser, contrastive caption terms."""

    settings_type = FlagshipSettings

    def __init__(self, settings: FlagshipSettings) -> None:
        self.settings = settings
        self.steps = 0
        names = ("adversarial", "features", "caption", "hole")
        weights = {name: getattr(settings, name) for name in names}
        self.balancer = GradientBalancer("pixels", weights, frozenset({"caption", "hole"}))

    def check(self, generator: Generator, discriminator: Discriminator) -> None:
        """Check that the generator gives fills with a margin, and that the discriminator fits.

        Raises:
            ValueError: the reason.
        """
        if not hasattr(generator, "sample"):
            raise ValueError("objective 'steered' needs a generator that fills with a margin: unet")
        if not hasattr(discriminator, "extract_features"):
            raise ValueError("objective 'steered' needs the discriminator 'projected'")
        if self.settings.caption and discriminator.caption_head is None:
            raise ValueError("objective.settings.caption needs discriminator.settings.caption_head")
        dim = discriminator.settings.caption_dim
        if self.settings.hole and dim != CAPTION_DIM:
            raise ValueError(
                f"objective.settings.hole needs captions of {CAPTION_DIM} numbers, not {dim}"
            )
        if self.settings.jitter > discriminator.window_start:
            raise ValueError("objective.settings.jitter moves the window out of the image")
        # Checked here because the weights are only read after the warm-up.
        if weights_path() is None:
            raise ValueError(f"objective 'steered' needs the package {PACKAGE}")

    @property
    def adversarial_active(self) -> bool:
        """Whether the warm-up on the pixel term is over."""
        return self.steps >= self.settings.warmup

    @property
    def generator_frozen(self) -> bool:
        """Whether only the discriminator is trained."""
        s = self.settings
        return self.adversarial_active and self.steps < s.warmup + s.discriminator_warmup

    @property
    def num_samples(self) -> int:
        """Fills a hole: one until the diversity reward applies."""
        return NUM_SAMPLES if self.adversarial_active and not self.generator_frozen else 1

    @property
    def zero_noise_fills(self) -> bool:
        """Whether holes are filled at zero noise as well."""
        s, several = self.settings, self.num_samples == NUM_SAMPLES
        return s.mean > 0 and several and self.steps >= s.warmup + s.mean_after

    def condition(self, caption: Tensor) -> Tensor:
        """Replace captions by mismatched ones with `mismatched_caption_prob`."""
        probability = self.settings.mismatched_caption_prob
        if not (self.adversarial_active and probability):
            return caption
        other, exists = mismatched_captions(caption)
        chosen = exists & has_caption(caption) & random_rows(probability, caption)
        return torch.where(chosen[:, None], other, caption)

    def generate(
        self, generator: Generator, discriminator: Discriminator, real: DiscriminatorInput
    ) -> tuple[DiscriminatorInput, DiscriminatorInput]:
        """Fill each hole, the first holes of the batch several times, with their margin."""
        noise = sample_noise(generator, real, self.num_samples)
        caption = self.condition(real.caption)
        rows = max(1, round(self.settings.resample_fraction * len(noise)))
        first, *others = noise.chunk(self.num_samples, dim=1)
        noises = [first, *(other[:rows] for other in others)]
        if self.zero_noise_fills:
            noises.append(torch.zeros_like(first[:rows]))
        context = hide(real.images, real.mask)
        fills = [fill.float() for fill in generator.sample(context, real.mask, caption, noises)]
        zero = fills.pop() if self.zero_noise_fills else None
        composite = paste(context, real.mask, generator.crop_margin(fills[0]))
        fake = DiscriminatorInput(
            composite, real.mask, caption, tuple(fills), zero_noise_fills=zero
        )
        return self.prepare(discriminator, real, fake)

    def prepare(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> tuple[DiscriminatorInput, DiscriminatorInput]:
        """Extract frozen features of both with the same view, once for both networks."""
        if not self.adversarial_active:
            return real, fake
        view = sample_view(discriminator, self.settings.jitter, RESOLUTIONS, self.settings.noise)
        with torch.no_grad():
            features = view.extract(discriminator, real.images)
        return (
            real._replace(features=features),
            fake._replace(features=view.extract(discriminator, fake.images)),
        )

    def discriminator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `max(0, 1 - D(x))`, `max(0, 1 + D(G))`, and the latter for mismatched captions.

        Real images weigh as much as both kinds of fakes together. With less, all scores sink to
        where the fakes' hinge is flat, and half of the fills have no gradient.
        """
        if not self.adversarial_active:
            return {}
        other, exists = mismatched_captions(real.caption)
        matched, mismatched = discriminator.scores(real.features, real.caption, other)
        (filled,) = discriminator.scores(fake.features, scored_caption(real, fake))
        weight = self.settings.mismatch
        terms = {
            "real": hinge_loss(matched, -1.0) * (1 + weight),
            "fake": hinge_loss(filled, 1.0),
        }
        if weight:
            terms["mismatch"] = hinge_loss(mismatched, 1.0) * exists * weight
        return terms

    def generator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the pixel term and, after the warm-up, all terms, balanced by their gradients."""
        if self.generator_frozen:
            return {}
        assert fake.samples is not None  # `generate` made them
        s, own = self.settings, own_caption(real.caption, fake.caption)
        terms = {"pixels": posterior_loss(real.images, real.mask, fake.samples, s.spread) * own}
        if self.adversarial_active:
            terms |= self.frozen_feature_losses(discriminator, real, fake)
            terms = self.balancer.weight(terms, fake.samples[0], self.steps)
        if fake.zero_noise_fills is not None:
            terms["mean"] = zero_noise_loss(real.images, fake.zero_noise_fills) * s.mean * own
        return terms

    def frozen_feature_losses(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the terms on frozen features: adversarial, features, caption and hole."""
        s, terms = self.settings, {}
        if s.adversarial:  # -D(G), Lim & Ye 2017, eq. 4
            (scores,) = discriminator.scores(fake.features, scored_caption(real, fake))
            terms["adversarial"] = -mean_score(scores)
        if s.features:
            distance = feature_distance(real.features, fake.features)
            terms["features"] = distance * own_caption(real.caption, fake.caption)
        if s.caption:
            scorer = load_caption_scorer(str(fake.caption.device))
            codes = real.features.code, fake.features.code
            terms["caption"] = caption_loss(scorer, *codes, real.caption, fake.caption)
        if s.hole:
            terms["hole"] = self.hole_caption_loss(real, fake)
        return terms

    def hole_caption_loss(self, real: DiscriminatorInput, fake: DiscriminatorInput) -> Tensor:
        """Return `caption_loss` by the scorer that sees the hole alone, `(N,)`."""
        scorer = load_hole_scorer(str(fake.caption.device))
        view = sample_hole_view(self.settings.noise)
        with torch.no_grad():
            real_codes = scorer.encode_images(view.scorer_input(real.images))
        fake_codes = scorer.encode_images(view.scorer_input(fake.images))
        return caption_loss(scorer, real_codes, fake_codes, real.caption, fake.caption)

    def after_step(self, metrics: Mapping[str, float]) -> Metrics:
        """Count the step, and return the gradient norms to log."""
        self.steps += 1
        return self.balancer.state_dict()

    def state_dict(self) -> dict[str, float]:
        """Return the number of steps and the gradient norms."""
        return {"steps": float(self.steps), **self.balancer.state_dict()}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restore the number of steps and the gradient norms."""
        self.steps = int(state["steps"])
        self.balancer.load_state_dict(state)


def scored_caption(real: DiscriminatorInput, fake: DiscriminatorInput) -> Tensor:
    """Return the captions fills are scored under: none (zeros) for another image's caption.

    The surroundings would reveal a mismatched caption whatever the fill is.
    """
    return fake.caption * own_caption(real.caption, fake.caption)[:, None]
