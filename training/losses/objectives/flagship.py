"""The flagship's objective: right means, spread draws, real texture, and captions that steer."""

from collections.abc import Mapping
from types import EllipsisType
from typing import Any

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from models.discriminators.projected import FrozenFeatures
from models.frozen.caption_scorer import CAPTION_DIM, load_caption_scorer
from models.frozen.efficientnet import PACKAGE, weights_path
from models.frozen.scorers import Scorer
from models.geometry import hide, paste
from training.common import distributed
from training.losses.frozen.augmented_views import RESOLUTIONS, sample_view
from training.losses.frozen.contrastive import SAME_CAPTION, contrastive_loss, has_caption
from training.losses.frozen.hole_scorer import load_hole_scorer, sample_hole_view
from training.losses.objectives.base import (
    BaseObjective,
    DiscriminatorInput,
    Metrics,
    Terms,
    register,
    sample_noise,
)
from training.losses.objectives.gradient_balancing import GradientBalancer
from training.losses.objectives.terms import hole_mean

NUM_SAMPLES = 2
# Bendel et al. 2023, eq. 12 and 13, for two draws: the weight at which independent Gaussian draws
# have the posterior's own standard deviation, times what makes |x1 - x2| an estimate of it.
DIVERSITY_WEIGHT = (2 / (torch.pi * NUM_SAMPLES * (NUM_SAMPLES + 1))) ** 0.5 * (torch.pi / 4) ** 0.5


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FlagshipSettings:
    """What the generator is told, each as the length of its gradient at the generator's output.

    The pixels' is 1: all the same way over large areas, it goes further than its length says. A
    term with share 0 is neither computed nor logged.

    Attributes:
        adversarial: share of the discriminator's verdict.
        features: share of the distance in pretrained features (Suvorov et al. 2021, LaMa, §2.2).
        caption: share of the contrast of captions, as far as a fill fits its own less than the
            real picture does, hole and surroundings together.
        hole: share of the same contrast by what tells it of the hole alone, where the surroundings
            cannot speak for the true caption or against another.
        spread: reward, after the warm-up, for two draws that differ; 1 for as much as the
            posterior spreads.
        mismatch: weight of the discriminator's "fake" for real pictures with another's caption.
        warmup: generator steps on the pixels alone, which come several times as fast.
        jitter: pixels by which the judged window is moved, either way.
        noise: standard deviation of what is added to it before the frozen network sees it, in
            units of -1 to 1.
        swap: share of the fills asked for with another picture's caption. Only whether they look
            real and fit that caption is asked of them.
        untold: share of the other fills asked for without a caption and judged by their picture's
            all the same; where the data drop it, nobody asks what such a fill shows.
        redrawn: share of the holes that are filled twice, for the pixels' terms; the decoder's work
            grows with it.
        overlap: whether the pixels' term reads the margin around the hole as well.
        mean: weight, after the warm-up, of the squared error of fills without noise, for as many
            holes: at temperature 0 the generator then gives the mean of what it would draw, which
            no draw that looks real can be.
        mean_after: steps after the warm-up from which that is asked: from the first one on, it
            would teach fills to be smooth before they have learnt to look real.
        ahead: steps after the warm-up in which the discriminator alone learns, for a generator that
            begins with weights it was not trained against.
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
    swap: float = Field(default=0.2, ge=0, le=1)
    untold: float = Field(default=0.0, ge=0, le=1)
    redrawn: float = Field(default=1.0, gt=0, le=1)
    overlap: bool = True
    mean: float = Field(default=0.0, ge=0)
    mean_after: int = Field(default=0, ge=0)
    ahead: int = Field(default=0, ge=0)


@register("steered")
class Flagship(BaseObjective):
    """Hinge adversary on pretrained features, Bendel's regulariser, contrast of captions."""

    settings_type = FlagshipSettings

    def __init__(self, settings: FlagshipSettings) -> None:
        self.settings = settings
        self.steps = 0
        names = ("adversarial", "features", "caption", "hole")
        shares = {name: getattr(settings, name) for name in names}
        self.balancer = GradientBalancer("pixels", shares, content=frozenset({"caption", "hole"}))

    def check(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Check that the generator gives fills with a margin, and that the discriminator fits.

        Raises:
            ValueError: the reason.
        """
        if not hasattr(generator, "draw"):
            raise ValueError("objective 'steered' needs a generator that fills with a margin: unet")
        if not hasattr(discriminator, "look"):
            raise ValueError("objective 'steered' needs the discriminator 'projected'")
        if self.settings.caption and discriminator.meaning is None:
            raise ValueError("objective.settings.caption needs discriminator.settings.meaning")
        dim = discriminator.settings.caption_dim  # type: ignore[union-attr]
        if self.settings.hole and dim != CAPTION_DIM:
            raise ValueError(
                f"objective.settings.hole reads {CAPTION_DIM} numbers a caption: {dim}"
            )
        if self.settings.jitter > int(discriminator.middle):  # type: ignore[arg-type]
            raise ValueError("objective.settings.jitter moves the judged window out of the picture")
        # Read when the warm-up is over: too late to hear that it is not there.
        if weights_path() is None:
            raise ValueError(f"objective 'steered' needs the package {PACKAGE}")

    @property
    def num_samples(self) -> int:
        """Fills per hole: one until the adversarial terms are active."""
        return NUM_SAMPLES if self.adversarial_active and not self.generator_frozen else 1

    @property
    def zero_noise_fills(self) -> bool:
        """Whether holes are filled at zero noise as well."""
        s = self.settings
        return (
            s.mean > 0 and self.num_samples == NUM_SAMPLES and self.steps >= s.warmup + s.mean_after
        )

    @property
    def adversarial_active(self) -> bool:
        """Whether the pixels alone have had their steps."""
        return self.steps >= self.settings.warmup

    @property
    def generator_frozen(self) -> bool:
        """Whether the generator stands still, for the discriminator to get to know its fills."""
        return self.adversarial_active and self.steps < self.settings.warmup + self.settings.ahead

    def generate(
        self, generator: nn.Module, discriminator: nn.Module, real: DiscriminatorInput
    ) -> tuple[DiscriminatorInput, DiscriminatorInput]:
        """Fill each hole, the first holes of the batch several times, with their margin."""
        noise = sample_noise(generator, real, self.num_samples)
        caption = self.condition(real.caption)
        rows = max(1, round(self.settings.redrawn * len(noise)))
        first, *others = noise.chunk(self.num_samples, dim=1)
        noises = [first, *(other[:rows] for other in others)]
        if self.zero_noise_fills:
            noises.append(torch.zeros_like(first[:rows]))
        network: Any = generator
        context = hide(real.images, real.mask)
        fills = [fill.float() for fill in network.draw(context, real.mask, caption, noises)]
        zero = fills.pop() if self.zero_noise_fills else None
        composite = paste(context, real.mask, network.crop_margin(fills[0]).float())
        fake = DiscriminatorInput(
            composite, real.mask, caption, tuple(fills), zero_noise_fills=zero
        )
        return self.prepare(discriminator, real, fake)

    def condition(self, caption: Tensor) -> Tensor:
        """Ask for another picture's caption in a share of the rows, and without one in another."""
        s = self.settings
        if not self.adversarial_active:
            return caption
        asked = caption
        if s.swap:
            other, exists = mismatched_captions(caption)
            chosen = exists & has_caption(caption) & choose_rows(s.swap, caption)
            asked = torch.where(chosen[:, None], other, caption)
        if s.untold:
            hushed = (asked == caption).all(1) & choose_rows(s.untold, caption)
            asked = asked.masked_fill(hushed[:, None], 0.0)
        return asked

    def prepare(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> tuple[DiscriminatorInput, DiscriminatorInput]:
        """Look at both through the frozen network, the same way, once for both players."""
        if not self.adversarial_active:
            return real, fake
        s = self.settings
        view = sample_view(discriminator, s.jitter, RESOLUTIONS, s.noise)  # type: ignore[arg-type]
        with torch.no_grad():
            seen = view.look(discriminator, real.images)  # type: ignore[arg-type]
        return real._replace(features=seen), fake._replace(
            features=view.look(discriminator, fake.images)  # type: ignore[arg-type]
        )

    def discriminator_terms(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return `max(0, 1 - D(x))`, `max(0, 1 + D(G))`, and the latter for wrong captions.

        Real pictures weigh as much as both kinds of fakes together: with less, all scores sink to
        where the fakes' hinge is flat, and half of the fills teach the discriminator nothing.
        """
        if not self.adversarial_active:
            return {}
        wrong, exists = mismatched_captions(real.caption)
        right, mismatched = discriminator.scores(real.features, real.caption, wrong)
        (made,) = discriminator.scores(fake.features, judged_caption(real, fake))
        balanced = 1 + self.settings.mismatch
        terms = {"real": hinge_loss(right, -1.0) * balanced, "fake": hinge_loss(made, 1.0)}
        if self.settings.mismatch:
            terms["mismatch"] = hinge_loss(mismatched, 1.0) * exists * self.settings.mismatch
        return terms

    def generator_terms(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the pixels' terms and, after the warm-up, all others, each with its share."""
        if self.generator_frozen:
            return {}
        if fake.samples is None:
            raise ValueError("objective 'steered' needs fills with their margin")
        terms = {"pixels": self.pixel_loss(real, fake.samples) * has_own_caption(real, fake)}
        if self.adversarial_active:
            terms |= self.frozen_feature_losses(discriminator, real, fake)
            terms = self.balancer.weigh(terms, fake.samples[0], self.steps)
        if fake.zero_noise_fills is not None:
            terms["mean"] = self.mean_loss(real, fake.zero_noise_fills) * has_own_caption(
                real, fake
            )
        return terms

    def pixel_loss(self, real: DiscriminatorInput, draws: tuple[Tensor, ...]) -> Tensor:
        """L1 of the draws' mean over hole and margin, less the reward for their spread, `(N,)`.

        Of pictures that were drawn once it is 0, and the others' is larger for it: the mean over
        all has the same expectation.

        Bendel, Ahmad & Schniter 2023, "A regularized conditional GAN for posterior sampling in
        image recovery problems", eq. 9 and 13.
        """
        within = crop_index(real, draws[-1])
        rows = len(draws[-1])
        mean = torch.stack([draw[:rows] for draw in draws]).mean(0)
        off, hole = (mean - real.images[within]).abs(), real.mask[within]
        error = off.flatten(1).mean(1) if self.settings.overlap else hole_mean(off, hole)
        if len(draws) > 1:  # with nobody to say what is real, draws would differ in hue alone
            apart = hole_mean((draws[0][:rows] - draws[1]).abs(), hole)
            error = error - self.settings.spread * DIVERSITY_WEIGHT * apart
        return rescale_to_batch(error, len(real.images))

    def mean_loss(self, real: DiscriminatorInput, still: Tensor) -> Tensor:
        """Squared error of fills without noise over hole and margin, `(N,)`; 0 where there is none.

        Its minimum is the mean of all centres that go with what surrounds them and the caption.
        """
        error = (still - real.images[crop_index(real, still)]).square().flatten(1).mean(1)
        return rescale_to_batch(error, len(real.images)) * self.settings.mean

    def frozen_feature_losses(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the terms for which the composites were looked at."""
        s, terms = self.settings, {}
        if s.adversarial:
            terms["adversarial"] = self.adversarial_loss(discriminator, real, fake)
        if s.features:
            apart = feature_distance(real.features, fake.features)
            terms["features"] = apart * has_own_caption(real, fake)
        if s.caption:
            scorer = load_caption_scorer(str(fake.caption.device))
            codes = real.features.code, fake.features.code
            terms["caption"] = caption_loss(
                scorer, *codes, real.caption, target_caption(real, fake)
            )
        if s.hole:
            terms["hole"] = self.hole_caption_loss(real, fake)
        return terms

    def adversarial_loss(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Tensor:
        """Return `-D(G)`, `(N,)` (Lim & Ye 2017, eq. 4)."""
        (made,) = discriminator.scores(fake.features, judged_caption(real, fake))
        return -torch.stack([one.float().mean(1) for one in made]).mean(0)

    def hole_caption_loss(self, real: DiscriminatorInput, fake: DiscriminatorInput) -> Tensor:
        """Return how much harder holes alone are to tell than the real pictures', `(N,)`."""
        scorer = load_hole_scorer(str(fake.caption.device))
        view = sample_hole_view(self.settings.noise)
        with torch.no_grad():
            reached = scorer.encode_images(view.look(real.images))
        made = scorer.encode_images(view.look(fake.images))
        return caption_loss(scorer, reached, made, real.caption, target_caption(real, fake))

    def after_step(self, figures: Mapping[str, float]) -> Metrics:
        """Count the step, and return the measured gradient norms to log."""
        self.steps += 1
        return {f"gradient/{name}": length for name, length in self.balancer.gradient_norms.items()}

    def state_dict(self) -> dict[str, float]:
        """Return the steps done and the gradient norms."""
        gradient_norms = {
            f"gradient/{name}": length for name, length in self.balancer.gradient_norms.items()
        }
        return {"steps": float(self.steps), **gradient_norms}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take back what `state_dict` gave."""
        self.steps = int(state["steps"])
        self.balancer.gradient_norms = {
            name.removeprefix("gradient/"): length
            for name, length in state.items()
            if name.startswith("gradient/")
        }


def crop_index(real: DiscriminatorInput, fills: Tensor) -> tuple[slice, EllipsisType, slice, slice]:
    """Return the index of what fills `(M, 3, F, F)` of the first holes cover of their pictures."""
    edge = (real.images.shape[-1] - fills.shape[-1]) // 2
    return slice(len(fills)), ..., slice(edge, -edge), slice(edge, -edge)


def rescale_to_batch(term: Tensor, count: int) -> Tensor:
    """Make a term of the first M of `count` pictures, `(M,)`, one of all with the same mean."""
    return pad(term, (0, count - len(term))) * (count / len(term))


def choose_rows(share: float, rows: Tensor) -> Tensor:
    """Choose a share of the rows of `(N, …)` by chance, bool `(N,)`."""
    return distributed.shard_rows(torch.rand, len(rows)).to(rows.device) < share


def target_caption(real: DiscriminatorInput, fake: DiscriminatorInput) -> Tensor:
    """Return the captions `(N, caption_dim)` that fills are to fit: unasked, their picture's."""
    return torch.where(has_caption(fake.caption)[:, None], fake.caption, real.caption)


def has_own_caption(real: DiscriminatorInput, fake: DiscriminatorInput) -> Tensor:
    """Return 1 for each fill that is to be its own picture's, 0 for another caption's, `(N,)`."""
    return (real.caption == target_caption(real, fake)).all(1).float()


def judged_caption(real: DiscriminatorInput, fake: DiscriminatorInput) -> Tensor:
    """Return the captions under which fills are judged: none for another picture's.

    What surrounds the hole would give those away whatever the fill.
    """
    return target_caption(real, fake) * has_own_caption(real, fake)[:, None]


def caption_loss(
    scorer: Scorer, real: Tensor, fake: Tensor, caption: Tensor, asked: Tensor
) -> Tensor:
    """How much harder fills are to tell by their captions than the real pictures are, `(N,)`.

    The contrast of a fill above the real picture's, never below 0: a frozen scorer that is pleased
    beyond what it makes of real pictures is being fooled. Where the caption is another picture's,
    above the mean of the real ones.

    Args:
        scorer: who tells.
        real: its codes of the real pictures, `(N, code)`.
        fake: of the fills.
        caption: the pictures' captions, `(N, caption_dim)`.
        asked: those that the fills are to fit.
    """
    speaks = has_caption(caption).float()
    with torch.no_grad():
        reached = contrastive_loss(real, scorer.encode_captions(caption), caption)
        mean = reached.sum() / speaks.sum().clamp_min(1)
    aim = torch.where((caption == asked).all(1), reached, mean)
    return relu(contrastive_loss(fake, scorer.encode_captions(asked), asked) - aim) * speaks


def hinge_loss(scores: list[Tensor], sign: float) -> Tensor:
    """Return `max(0, 1 + sign · score)`, the mean over each head's places, then heads, `(N,)`.

    Lim & Ye 2017, "Geometric GAN", eq. 3.
    """
    return torch.stack([relu(1 + sign * one.float()).mean(1) for one in scores]).mean(0)


def feature_distance(real: FrozenFeatures, fake: FrozenFeatures) -> Tensor:
    """Mean squared distance of pretrained features, the mean over stages, `(N,)`."""
    apart = [
        (f - r).square().mean((1, 2, 3))  # flattening would copy, they are channels-last
        for r, f in zip(real.features, fake.features, strict=True)
    ]
    return torch.stack(apart).mean(0)


def mismatched_captions(caption: Tensor) -> tuple[Tensor, Tensor]:
    """Choose a wrong caption for each picture: for half of them the nearest that is not the same.

    Args:
        caption: `(N, caption_dim)`, of length 1 or 0; may be another rank's that is taken.

    Returns:
        Captions `(N, caption_dim)`, and whether a picture has one, bool `(N,)`.
    """
    everybody = distributed.all_rows(caption)
    near = caption @ everybody.T
    usable = (near < SAME_CAPTION) & has_caption(everybody)
    hard = near.masked_fill(~usable, -2.0).argmax(1)
    chance = distributed.shard_rows(lambda rows: torch.rand(rows, len(everybody)), len(caption))
    anybody = chance.to(near.device).masked_fill(~usable, -1.0).argmax(1)
    coin = distributed.shard_rows(torch.rand, len(caption)).to(near.device) < 0.5
    return everybody[torch.where(coin, hard, anybody)], usable.any(1)
