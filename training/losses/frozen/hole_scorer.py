"""A frozen scorer of how well the hole alone, without its surroundings, fits a caption.

The caption scorer of the discriminator (`models.frozen.caption_scorer`) also sees the surroundings,
which reveal the true caption whatever the fill is. A fill for another caption, or for none, changes
its score little. This scorer sees only the hole, through the same frozen features. It was trained
on real images (`captionfill-train scorer hole`), then frozen.
"""

from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import torch
from torch import Tensor

from models.frozen.caption_scorer import load_frozen_scorer, scorer_input
from models.frozen.efficientnet import extract_features
from models.frozen.scorers import Scorer
from models.geometry import HOLE, centre, random_corners
from training.losses.frozen.augmented_views import gaussian_noise

WEIGHTS = "hole.safetensors"
DIGEST = "aeaeb975b52cbbf30c483b6e597de2039f67a9cfe2470f54456bfff5cdd727ad"
CROP_SIZE = 28  # side of the random crop of the 32×32 hole
RESOLUTION = 64


class HoleView(NamedTuple):
    """Crop and noise of one view of the hole, the same for a whole batch.

    Attributes:
        corner: first row and column of the crop in the hole, 0 to 4.
        noise: standard deviation of the noise that is added, in units of -1 to 1.
    """

    corner: tuple[int, int] = ((HOLE - CROP_SIZE) // 2, (HOLE - CROP_SIZE) // 2)
    noise: float = 0.0

    def scorer_input(self, images: Tensor) -> Tensor:
        """Return the scorer's input for images `(N, 3, 64, 64)`, -1 to 1: `(N, 155, 4, 4)`."""
        top, left = self.corner
        crop = centre(images)[:, :, top : top + CROP_SIZE, left : left + CROP_SIZE].float()
        if self.noise:
            crop = crop + gaussian_noise(len(images), CROP_SIZE, images.device) * self.noise
        return scorer_input(crop, extract_features(crop, RESOLUTION))


def sample_hole_view(noise: float) -> HoleView:
    """Draw a view of the hole, the same on every rank."""
    row, column = random_corners(1, HOLE - CROP_SIZE, torch.default_generator)[0].tolist()
    return HoleView((row, column), noise)


@lru_cache(maxsize=2)
def load_hole_scorer(device: str) -> Scorer:
    """Load the trained scorer on a device, frozen.

    Raises:
        FrozenWeightsError: the file has another digest than this version's.
    """
    return load_frozen_scorer(resources.files("training") / "weights" / WEIGHTS, DIGEST, device)
