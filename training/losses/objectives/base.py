"""The one signature that every objective has.

An objective turns what a discriminator says into named, per-sample terms. It holds no loop and
calls no optimizer; what state it needs from step to step is plain numbers that the trainer
checkpoints.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from torch import Tensor, nn

from models.discriminator_outputs import Logits

# A term's name and its weighted value for each picture, `(N,)`; a player's loss is the sum of the
# means. Weighted, so that what is logged is what was minimised.
Terms = dict[str, Tensor]
# Figures of a whole step, by name.
Metrics = dict[str, float]


class DiscriminatorInput(NamedTuple):
    """A batch as a discriminator sees it; H×W is the recipe's picture size.

    Attributes:
        images: `(N, 3, H, W)`, -1 to 1: real pictures, or composites with a fill.
        mask: `(N, 1, H, W)`, 1 inside the hole; everywhere where the whole picture is made.
        caption: `(N, caption_dim)`; of fills what they were asked for.
        samples: where the objective uses several fills a hole, with their margin: those in the
            composites, `(N, 3, F, F)`, then further ones of the first M holes, `(M, 3, F, F)`.
        features: what `prepare` keeps of the images for both players; it has a `detach`.
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
        """Return the same without a gradient."""
        samples, zero = self.samples, self.zero_noise_fills
        return DiscriminatorInput(
            self.images.detach(),
            self.mask,
            self.caption,
            None if samples is None else tuple(fill.detach() for fill in samples),
            None if self.features is None else self.features.detach(),
            None if zero is None else zero.detach(),
        )


class Objective(Protocol):
    """What the trainer needs of an objective. `real` and `fake` are the same pictures, filled.

    Attributes:
        settings_type: a pydantic dataclass; a recipe's `objective.settings` are read as one.
        output_type: what a discriminator must give: `Logits`, `PatchLogits` or `Reconstruction`.
        needs_double_backward: whether a term holds a gradient, which torch.compile cannot do.
        plateau_metric: the metric that `optimizers.plateau` watches; it falls during training.
        weight_clip: bound on the absolute value of the discriminator's weights; None for none.
        num_samples: fills a hole, with the generator's margin; 0 for one fill without a margin.
        resample_fraction: fraction of the batch, its first rows, with more than one fill a hole.
        zero_noise_fills: whether these holes are filled at zero noise as well.
    """

    settings_type: ClassVar[type]
    output_type: ClassVar[type]
    needs_double_backward: ClassVar[bool]
    plateau_metric: ClassVar[str | None]
    weight_clip: float | None
    num_samples: int
    resample_fraction: float
    zero_noise_fills: bool

    def check(self, discriminator: nn.Module) -> None:
        """Raise `ValueError` with the reason where the objective and a network do not go together.

        Called when a recipe is loaded, with a network that has shapes but no numbers.
        """
        ...

    def condition(self, caption: Tensor) -> Tensor:
        """Return the captions `(N, caption_dim)` that fills are asked for, given the pictures'."""
        ...

    def prepare(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> tuple[DiscriminatorInput, DiscriminatorInput]:
        """Do once what both players need of a batch; `fake` carries the generator's gradient."""
        ...

    def discriminator_terms(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the terms the discriminator minimises; `fake` carries no gradient."""
        ...

    def after_discriminator_step(self, discriminator: nn.Module) -> None:
        """Do to the weights what follows each of the discriminator's steps."""
        ...

    def generator_terms(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> Terms:
        """Return the terms the generator minimises, through `fake`."""
        ...

    def after_step(self, figures: Mapping[str, float]) -> Metrics:
        """Let the state follow a whole step, and return what to log of it.

        Args:
            figures: the mean of each term over the whole batch, as `discriminator/…` and
                `generator/…`; the same numbers on every rank, so the state is too.
        """
        ...

    def state_dict(self) -> dict[str, float]:
        """Return the numbers that must survive a resume; empty where there are none."""
        ...

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take back what `state_dict` gave."""
        ...


class BaseObjective:
    """What most objectives are: they need scores, change no weights and keep no state."""

    output_type: ClassVar[type] = Logits
    needs_double_backward: ClassVar[bool] = False
    plateau_metric: ClassVar[str | None] = None
    weight_clip: float | None = None
    num_samples: int = 0
    resample_fraction: float = 1.0
    zero_noise_fills: bool = False

    def check(self, discriminator: nn.Module) -> None:
        """Take any discriminator that gives the right verdict."""

    def condition(self, caption: Tensor) -> Tensor:
        """Ask for what the pictures show."""
        return caption

    def prepare(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> tuple[DiscriminatorInput, DiscriminatorInput]:
        """Prepare nothing."""
        return real, fake

    def after_discriminator_step(self, discriminator: nn.Module) -> None:
        """Leave the weights as the optimizer left them."""

    def after_step(self, figures: Mapping[str, float]) -> Metrics:
        """Log nothing but the terms."""
        return {}

    def state_dict(self) -> dict[str, float]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take nothing back."""


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
