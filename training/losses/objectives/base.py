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
Figures = dict[str, float]


class DiscriminatorInput(NamedTuple):
    """A batch as a discriminator sees it; H×W is the recipe's picture size.

    Attributes:
        images: `(N, 3, H, W)`, -1 to 1: real pictures, or composites with a fill.
        mask: `(N, 1, H, W)`, 1 inside the hole; everywhere where the whole picture is made.
        caption: `(N, caption_dim)`; of fills what they were asked for.
        draws: where an objective asks for fills with what margin the generator gives them: those
            in the composites, `(N, 3, F, F)`, then others of the first M holes, `(M, 3, F, F)`.
        looked: what `prepare` keeps of the images for both players; it has a `detach`.
        still: fills of the first M holes without noise, `(M, 3, F, F)`, where an objective asks.
    """

    images: Tensor
    mask: Tensor
    caption: Tensor
    draws: tuple[Tensor, ...] | None = None
    looked: Any = None
    still: Tensor | None = None

    def detach(self) -> "DiscriminatorInput":
        """Return the same without a gradient."""
        draws = None if self.draws is None else tuple(draw.detach() for draw in self.draws)
        looked = None if self.looked is None else self.looked.detach()
        still = None if self.still is None else self.still.detach()
        return DiscriminatorInput(
            self.images.detach(), self.mask, self.caption, draws, looked, still
        )


class Objective(Protocol):
    """What the trainer needs of an objective. `real` and `fake` are the same pictures, filled.

    Attributes:
        settings_type: a pydantic dataclass; a recipe's `objective.settings` are read as one.
        verdict: what a discriminator must give: `Logits`, `PatchLogits` or `Reconstruction`.
        differentiates_twice: whether a term holds a gradient, which torch.compile cannot do.
        progress: the figure, falling as training gets on, that a plateau of is watched for.
        clip: the discriminator's weights are kept in -clip to clip; None where they are free.
        draws: fills of each hole that are wanted, with the generator's margin; 0 for the plain one.
        redrawn: share of the holes, the first of a batch, that are filled more than once.
        still: whether those are filled without noise as well.
    """

    settings_type: ClassVar[type]
    verdict: ClassVar[type]
    differentiates_twice: ClassVar[bool]
    progress: ClassVar[str | None]
    clip: float | None
    draws: int
    redrawn: float
    still: bool

    def check(self, discriminator: nn.Module) -> None:
        """Raise `ValueError` with the reason where the objective and a network do not go together.

        Called when a recipe is loaded, with a network that has shapes but no numbers.
        """
        ...

    def asked(self, caption: Tensor) -> Tensor:
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

    def after_step(self, figures: Mapping[str, float]) -> Figures:
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


class PlainObjective:
    """What most objectives are: they need scores, change no weights and keep no state."""

    verdict: ClassVar[type] = Logits
    differentiates_twice: ClassVar[bool] = False
    progress: ClassVar[str | None] = None
    clip: float | None = None
    draws: int = 0
    redrawn: float = 1.0
    still: bool = False

    def check(self, discriminator: nn.Module) -> None:
        """Take any discriminator that gives the right verdict."""

    def asked(self, caption: Tensor) -> Tensor:
        """Ask for what the pictures show."""
        return caption

    def prepare(
        self, discriminator: nn.Module, real: DiscriminatorInput, fake: DiscriminatorInput
    ) -> tuple[DiscriminatorInput, DiscriminatorInput]:
        """Prepare nothing."""
        return real, fake

    def after_discriminator_step(self, discriminator: nn.Module) -> None:
        """Leave the weights as the optimizer left them."""

    def after_step(self, figures: Mapping[str, float]) -> Figures:
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
