"""The interface of an objective: it generates fills and returns named losses per sample.

An objective has no loop and calls no optimizer. State that it keeps between steps, such as BEGAN's
k, is plain numbers, which the trainer saves with each checkpoint.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from pydantic import ConfigDict
from torch import Tensor

from models.discriminator_outputs import Logits
from models.geometry import hide, paste
from training.common import distributed

# Weighted losses by name, each `(N,)`; a network minimises the sum of their means.
Terms = dict[str, Tensor]
# Networks, typed loosely: objectives use methods that only some of them have.
Generator = Any
Discriminator = Any
# Config of settings dataclasses: unknown settings are refused.
STRICT = ConfigDict(extra="forbid")
# Numbers to log for a step, by name.
Metrics = dict[str, float]


class DiscriminatorInput(NamedTuple):
    """Images as a discriminator gets them; H×W is the recipe's picture size.

    Attributes:
        images: `(N, 3, H, W)`, -1 to 1: real images, or composites with a generated hole.
        mask: `(N, 1, H, W)`, 1 inside the hole; everywhere where whole images are generated.
        caption: `(N, caption_dim)`: of real images their own, of composites the generator's input.
        samples: where the objective uses several fills a hole, with their margin: those in the
            composites, `(N, 3, F, F)`, then further ones of the first M holes, `(M, 3, F, F)`.
        features: frozen features of `images`, where the objective uses them; has a `detach`.
        zero_noise_fills: fills of the first M holes at zero noise, `(M, 3, F, F)`, where the
            objective uses them.
    """

    images: Tensor
    mask: Tensor
    caption: Tensor
    samples: tuple[Tensor, ...] | None = None
    features: Any = None
    zero_noise_fills: Tensor | None = None

    def detach(self) -> "DiscriminatorInput":
        """Return what a discriminator is trained on: images and features without a gradient."""
        features = None if self.features is None else self.features.detach()
        images = self.images.detach()
        return DiscriminatorInput(images, self.mask, self.caption, features=features)


class BaseObjective:
    """The losses of a generator and a discriminator; `real` and `fake` have the same rows.

    By default a discriminator gives scores, each hole has one fill, and there is no state.

    Attributes:
        settings_type: a pydantic dataclass; a recipe's `objective.settings` are read as one.
        output_type: what a discriminator must give: `Logits`, `PatchLogits` or `Reconstruction`.
        needs_double_backward: whether a term holds a gradient, which torch.compile cannot do.
        plateau_metric: the metric that `optimizers.plateau` watches; it falls during training.
        weight_clip: bound on the absolute value of the discriminator's weights; None for none.
    """

    settings_type: ClassVar[type]
    output_type: ClassVar[type] = Logits
    needs_double_backward: ClassVar[bool] = False
    plateau_metric: ClassVar[str | None] = None
    weight_clip: float | None = None

    def check(self, generator: Generator, discriminator: Discriminator) -> None:
        """Check that the networks, on the meta device, fit; called when a recipe is loaded.

        Raises:
            ValueError: the reason why they do not.
        """

    def generate(
        self, generator: Generator, discriminator: Discriminator, real: DiscriminatorInput
    ) -> tuple[DiscriminatorInput, DiscriminatorInput]:
        """Fill each hole of a batch.

        Returns:
            `real` and `fake`, as the methods below take them; `fake` has the generator's graph.
        """
        noise = sample_noise(generator, real)
        context = hide(real.images, real.mask)
        fill: Tensor = generator(context, real.mask, real.caption, noise)
        return real, real._replace(images=paste(context, real.mask, fill.float()))

    def discriminator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the discriminator's losses; `fake` is detached from the generator."""
        raise NotImplementedError

    def after_discriminator_step(self, discriminator: Discriminator) -> None:
        """Change the discriminator's weights after its optimizer has stepped."""

    def generator_terms(
        self, discriminator: Discriminator, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the generator's losses."""
        raise NotImplementedError

    def after_step(self, metrics: Mapping[str, float]) -> Metrics:
        """Update the objective's state at the end of a step.

        Args:
            metrics: the mean of each term over the whole batch, as `discriminator/…` and
                `generator/…`; equal on all ranks, so the state is equal too.

        Returns:
            Numbers to log, under `state/…`.
        """
        return {}

    def state_dict(self) -> dict[str, float]:
        """Return the numbers that a checkpoint must hold."""
        return {}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Load what `state_dict` returned."""


def sample_noise(generator: Generator, real: DiscriminatorInput, samples: int = 1) -> Tensor:
    """Sample standard normal noise for a batch, `(N, samples · noise_dim)`."""
    length = samples * generator.settings.noise_dim
    return distributed.shard_rows(
        lambda rows: torch.randn(rows, length, device=real.images.device), len(real.images)
    )


def hole_l1(real: DiscriminatorInput, fake: DiscriminatorInput) -> Tensor:
    """Mean absolute error over the hole alone, `(N,)`."""
    return hole_mean((fake.images.float() - real.images.float()).abs(), real.mask)


def hole_l2(real: DiscriminatorInput, fake: DiscriminatorInput) -> Tensor:
    """Mean squared error over the hole alone (Pathak et al. 2016, eq. 1), `(N,)`."""
    return hole_mean((fake.images.float() - real.images.float()).square(), real.mask)


def hole_mean(error: Tensor, mask: Tensor) -> Tensor:
    """Mean of `(N, C, H, W)` over the hole `(N, 1, H, W)`, in all channels, `(N,)`."""
    return (error * mask).flatten(1).sum(1) / (error.shape[1] * mask.flatten(1).sum(1))


# Every objective by the name a recipe calls it by; `register` fills it.
OBJECTIVES: dict[str, Any] = {}
Class = TypeVar("Class", bound=type)


def register(kind: str) -> Callable[[Class], Class]:
    """Make an objective known to recipes as `objective.kind`; a class decorator.

    Raises:
        ValueError: another objective has that name.
    """

    def keep(objective: Class) -> Class:
        if kind in OBJECTIVES:
            raise ValueError(f"there are two objectives called {kind!r}")
        OBJECTIVES[kind] = objective
        return objective

    return keep
