"""How pictures are looked at through frozen features: never twice quite the same way.

A pattern that pleases a frozen network at one place, scale and brightness, and that nobody sees,
does not survive a window that moves, another scale and a little noise; what people see does. The
differentiable augmentation of Zhao et al. 2020 ("DiffAugment", eq. 4 and 5) does it to the real
pictures and the fakes of both players alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.discriminators.projected import FrozenFeatures, ProjectedDiscriminator
from models.geometry import random_corners
from training.common import distributed

RESOLUTIONS = (64, 80)


class View(NamedTuple):
    """Where to look and how closely; one for a whole batch.

    Attributes:
        corner: row and column where the window begins.
        resolution: side that it is scaled to.
        noise: standard deviation of what is added to it, in units of -1 to 1.
    """

    corner: tuple[int, int]
    resolution: int
    noise: float

    def look(self, eye: ProjectedDiscriminator, images: Tensor) -> FrozenFeatures:
        """Look at pictures `(N, 3, 64, 64)`, each with noise of its own."""
        static = None
        if self.noise:
            side = eye.settings.window
            static = distributed.shard_rows(
                lambda rows: torch.randn(rows, 3, side, side), len(images)
            )
            static = static.to(images.device) * self.noise
        return eye.look(images, self.corner, self.resolution, static)


def sample_view(
    eye: ProjectedDiscriminator, jitter: int, resolutions: Sequence[int], noise: float
) -> View:
    """Draw how to look next, the same on every rank.

    Args:
        eye: whose window it is.
        jitter: pixels by which the window is moved at most, either way.
        resolutions: sides to choose from.
        noise: see `View`.
    """
    moved = random_corners(1, 2 * jitter, torch.default_generator)[0] - jitter
    row, column = (moved + eye.middle).tolist()
    choice = int(torch.randint(len(resolutions), ()))
    return View((row, column), resolutions[choice], noise)
