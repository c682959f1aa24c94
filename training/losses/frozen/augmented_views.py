"""Random views of images for frozen feature networks.

A generator can produce patterns that please a frozen network at one place, scale and brightness and
that people do not see. They do not survive random crops, scales and noise, which are applied to
real and generated images alike for both networks: the differentiable augmentation of Zhao et al.
2020, "Differentiable augmentation for data-efficient GAN training", eq. 4 and 5.
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
    """Window, resolution and noise of one view, the same for a whole batch.

    Attributes:
        corner: first row and column of the window.
        resolution: side the window is resized to.
        noise: standard deviation of the noise that is added, in units of -1 to 1.
    """

    corner: tuple[int, int]
    resolution: int
    noise: float

    def extract(self, discriminator: ProjectedDiscriminator, images: Tensor) -> FrozenFeatures:
        """Extract the features of images `(N, 3, 64, 64)`, each with its own noise."""
        noise = None
        if self.noise:
            noise = gaussian_noise(len(images), discriminator.settings.window, images.device)
            noise = noise * self.noise
        return discriminator.extract_features(images, self.corner, self.resolution, noise)


def gaussian_noise(count: int, side: int, device: torch.device) -> Tensor:
    """Draw noise `(count, 3, side, side)` on the CPU for this rank's rows, and move it."""
    noise = distributed.shard_rows(lambda rows: torch.randn(rows, 3, side, side), count)
    return noise.to(device)


def sample_view(
    discriminator: ProjectedDiscriminator, jitter: int, resolutions: Sequence[int], noise: float
) -> View:
    """Draw a view, the same on every rank.

    Args:
        discriminator: its window is moved.
        jitter: largest shift of the window in pixels, either way.
        resolutions: sides to choose from.
        noise: see `View`.
    """
    shift = random_corners(1, 2 * jitter, torch.default_generator)[0] - jitter
    row, column = (shift + discriminator.window_start).tolist()
    choice = int(torch.randint(len(resolutions), ()))
    return View((row, column), resolutions[choice], noise)
