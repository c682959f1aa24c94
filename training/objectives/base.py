"""The one signature that every objective has.

An objective turns what a discriminator says into named, per-sample terms. It holds no loop and
calls no optimizer; what state it needs from step to step is plain numbers that the trainer
checkpoints.
"""

from typing import NamedTuple, Protocol

from torch import Tensor, nn

# A term's name and its weighted value for each picture, `(N,)`; a player's loss is the sum of the
# means. Weighted, so that what is logged is what was minimised.
Terms = dict[str, Tensor]


class Scene(NamedTuple):
    """A batch as a discriminator sees it.

    Attributes:
        images: `(N, 3, 64, 64)`, -1 to 1: real pictures, or composites with a fill.
        mask: `(N, 1, 64, 64)`, 1 inside the hole.
        caption: `(N, caption_dim)`.
    """

    images: Tensor
    mask: Tensor
    caption: Tensor


class Objective(Protocol):
    """What the trainer needs of an objective. `real` and `fake` are the same pictures, filled."""

    def discriminator_terms(self, discriminator: nn.Module, real: Scene, fake: Scene) -> Terms:
        """Return the terms the discriminator minimises; `fake` carries no gradient."""
        ...

    def generator_terms(self, discriminator: nn.Module, real: Scene, fake: Scene) -> Terms:
        """Return the terms the generator minimises, through `fake`."""
        ...

    def state_dict(self) -> dict[str, float]:
        """Return the numbers that must survive a resume; empty where there are none."""
        ...

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take back what `state_dict` gave."""
        ...
