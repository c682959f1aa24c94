"""The flagship's objective: right means, spread draws, real texture, and captions that steer."""

from collections.abc import Mapping

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn.functional import relu

from models.efficientnet import PACKAGE, weights_path
from models.projected import Looked
from training import ranks
from training.augment import corners
from training.errors import RecipeError
from training.objectives.base import Figures, PlainObjective, Scene, Terms, register
from training.objectives.sharing import Shares
from training.objectives.terms import hole_mean
from training.steering import CAPTION_DIM, SAME, caption_map, contrast, load_steering

DRAWS = 2
# Bendel et al. 2023, eq. 12 and 13, for two draws: the weight at which independent Gaussian draws
# have the posterior's own standard deviation, times what makes |x1 - x2| an estimate of it.
SPREAD_WEIGHT = (2 / (torch.pi * DRAWS * (DRAWS + 1))) ** 0.5 * (torch.pi / 4) ** 0.5


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SteeredSettings:
    """What the generator is told, each as the length of its gradient at the generator's output.

    The pixels' is 1: all the same way over large areas, it goes further than its length says. A
    term with share 0 is neither computed nor logged.

    Attributes:
        adversarial: share of the discriminator's verdict.
        features: share of the distance in pretrained features (Suvorov et al. 2021, LaMa, §2.2).
        caption: share of the contrast of captions.
        spread: reward, after the warm-up, for two draws that differ; 1 for as much as the
            posterior spreads.
        mismatch: weight of the discriminator's "fake" for real pictures with another's caption.
        warmup: generator steps on the pixels alone, which come several times as fast.
        jitter: pixels by which the judged window is moved, either way.
    """

    adversarial: float = Field(default=4.0, ge=0)
    features: float = Field(default=2.0, ge=0)
    caption: float = Field(default=3.0, ge=0)
    spread: float = Field(default=0.4, ge=0, le=1)
    mismatch: float = Field(default=0.5, ge=0)
    warmup: int = Field(default=1200, ge=0)
    jitter: int = Field(default=4, ge=0, le=8)


@register("steered")
class Steered(PlainObjective):
    """Hinge adversary on pretrained features, Bendel's regulariser, contrast of captions."""

    settings_type = SteeredSettings

    def __init__(self, settings: SteeredSettings) -> None:
        self.settings = settings
        self.steps = 0
        shares = {name: getattr(settings, name) for name in ("adversarial", "features", "caption")}
        self.shares = Shares(reference="pixels", shares=shares)

    def check(self, discriminator: nn.Module) -> None:
        """Refuse a discriminator that cannot look once for both players, or looks beyond the edge.

        Raises:
            ValueError: the reason.
        """
        if not hasattr(discriminator, "look"):
            raise ValueError("objective 'steered' needs the discriminator 'projected'")
        if self.settings.jitter > int(discriminator.middle):  # type: ignore[arg-type]
            raise ValueError("objective.settings.jitter moves the judged window out of the picture")
        # Read when the warm-up is over: too late to hear that it is not there.
        if weights_path() is None:
            raise ValueError(f"objective 'steered' needs the package {PACKAGE}")

    @property
    def draws(self) -> int:  # type: ignore[override]
        """One fill of each hole until there is something to spread for."""
        return DRAWS if self.listens else 1

    @property
    def listens(self) -> bool:
        """Whether the pixels alone have had their steps."""
        return self.steps >= self.settings.warmup

    def prepare(self, discriminator: nn.Module, real: Scene, fake: Scene) -> tuple[Scene, Scene]:
        """Look at both through the frozen network, at the same place, once for both players."""
        if not self.listens:
            return real, fake
        jitter = self.settings.jitter
        moved = corners(1, 2 * jitter, torch.default_generator)[0] - jitter
        row, column = (moved + int(discriminator.middle)).tolist()  # type: ignore[arg-type]
        with torch.no_grad():
            seen = discriminator.look(real.images, (row, column))
        return real._replace(looked=seen), fake._replace(
            looked=discriminator.look(fake.images, (row, column))
        )

    def discriminator_terms(self, discriminator: nn.Module, real: Scene, fake: Scene) -> Terms:
        """Return `max(0, 1 - D(x))`, `max(0, 1 + D(G))`, and the latter for wrong captions."""
        if not self.listens:
            return {}
        wrong, exists = other_captions(real.caption)
        right, mismatched = discriminator.scores(real.looked, real.caption, wrong)
        (made,) = discriminator.scores(fake.looked, fake.caption)
        terms = {"real": hinge(right, -1.0), "fake": hinge(made, 1.0)}
        if self.settings.mismatch:
            terms["mismatch"] = hinge(mismatched, 1.0) * exists * self.settings.mismatch
        return terms

    def generator_terms(self, discriminator: nn.Module, real: Scene, fake: Scene) -> Terms:
        """Return the pixels' terms and, after the warm-up, all others, each with its share."""
        if fake.draws is None:
            raise ValueError("objective 'steered' needs fills with their margin")
        terms = {"pixels": self.pixels(real, fake.draws)}
        if self.listens:
            terms |= self.judged(discriminator, real, fake)
            terms = self.shares.weigh(terms, fake.draws, self.steps)
        return terms

    def pixels(self, real: Scene, draws: Tensor) -> Tensor:
        """L1 of the draws' mean over hole and margin, less the reward for their spread, `(N,)`.

        Bendel, Ahmad & Schniter 2023, "A regularized conditional GAN for posterior sampling in
        image recovery problems", eq. 9 and 13.
        """
        edge = (real.images.shape[-1] - draws.shape[-1]) // 2
        within = (..., slice(edge, -edge), slice(edge, -edge))
        error = (draws.mean(0) - real.images[within]).abs().flatten(1).mean(1)
        if not self.listens:  # with nobody to say what is real, draws would differ in hue alone
            return error
        apart = hole_mean((draws[0] - draws[1]).abs(), real.mask[within])
        return error - self.settings.spread * SPREAD_WEIGHT * apart

    def judged(self, discriminator: nn.Module, real: Scene, fake: Scene) -> Terms:
        """Return the terms for which the composites were looked at."""
        s, terms = self.settings, {}
        if s.adversarial:
            (made,) = discriminator.scores(fake.looked, fake.caption)
            terms["adversarial"] = -torch.stack([one.float().mean(1) for one in made]).mean(0)
        if s.features:
            terms["features"] = features_apart(real.looked, fake.looked)
        if s.caption:
            check_length(fake.caption)
            scorer = load_steering(str(fake.caption.device))
            seen = scorer.see_centres(caption_map(fake.looked))
            read = scorer.read_captions(fake.caption)
            terms["caption"] = contrast(seen, read, fake.caption)
        return terms

    def after_step(self, figures: Mapping[str, float]) -> Figures:
        """Count the step, and log the lengths of the gradients of the terms as yet unweighed."""
        self.steps += 1
        return {f"gradient/{name}": length for name, length in self.shares.lengths.items()}

    def state_dict(self) -> dict[str, float]:
        """Return the steps done and the gradients' lengths."""
        lengths = {f"gradient/{name}": length for name, length in self.shares.lengths.items()}
        return {"steps": float(self.steps), **lengths}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take back what `state_dict` gave."""
        self.steps = int(state["steps"])
        self.shares.lengths = {
            name.removeprefix("gradient/"): length
            for name, length in state.items()
            if name.startswith("gradient/")
        }


def check_length(caption: Tensor) -> None:
    """Raise `RecipeError` where captions are not those that the scorer was trained on."""
    if caption.shape[1] != CAPTION_DIM:
        raise RecipeError(
            f"objective.settings.caption needs caption vectors of {CAPTION_DIM} numbers; these "
            f"have {caption.shape[1]}: set it to 0"
        )


def hinge(scores: list[Tensor], sign: float) -> Tensor:
    """Return `max(0, 1 + sign · score)`, the mean over each head's places, then heads, `(N,)`.

    Lim & Ye 2017, "Geometric GAN", eq. 3.
    """
    return torch.stack([relu(1 + sign * one.float()).mean(1) for one in scores]).mean(0)


def features_apart(real: Looked, fake: Looked) -> Tensor:
    """Mean squared distance of pretrained features, the mean over stages, `(N,)`."""
    apart = [
        (f - r).square().mean((1, 2, 3))  # flattening would copy, they are channels-last
        for r, f in zip(real.features, fake.features, strict=True)
    ]
    return torch.stack(apart).mean(0)


def other_captions(caption: Tensor) -> tuple[Tensor, Tensor]:
    """Choose a wrong caption for each picture: for half of them the nearest that is not the same.

    Args:
        caption: `(N, caption_dim)`, of length 1 or 0; may be another rank's that is taken.

    Returns:
        Captions `(N, caption_dim)`, and 1 for each picture that has one, else 0, `(N,)`.
    """
    everybody = ranks.all_rows(caption)
    near = caption @ everybody.T
    usable = (near < SAME) & (everybody.abs().sum(1) > 0)
    hard = near.masked_fill(~usable, -2.0).argmax(1)
    chance = ranks.own_rows(lambda rows: torch.rand(rows, len(everybody)), len(caption))
    anybody = chance.to(near.device).masked_fill(~usable, -1.0).argmax(1)
    coin = ranks.own_rows(torch.rand, len(caption)).to(near.device) < 0.5
    return everybody[torch.where(coin, hard, anybody)], usable.any(1).float()
