"""What tells how well a fill by itself, without its surroundings, fits a caption.

The scorer that the discriminator reads with (`models.frozen.caption_scorer`) sees the surroundings
too, and these tell of the true caption whatever the fill: a fill for another caption, or none,
gains little by it. This one sees the hole alone, through the same frozen features; trained on real
pictures (`captionfill-train scorer hole`) and never changed again.
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
from training.common import distributed

WEIGHTS = "hole.safetensors"
DIGEST = "aeaeb975b52cbbf30c483b6e597de2039f67a9cfe2470f54456bfff5cdd727ad"
CROP_SIZE = 28  # pixels of the hole's 32 that are looked at, never twice the same
RESOLUTION = 64


class HoleView(NamedTuple):
    """Where in the hole to look; one for a whole batch.

    Attributes:
        corner: row and column in the hole, 0 to 4.
        noise: standard deviation of what is added, in units of -1 to 1.
    """

    corner: tuple[int, int] = ((HOLE - CROP_SIZE) // 2, (HOLE - CROP_SIZE) // 2)
    noise: float = 0.0

    def look(self, images: Tensor) -> Tensor:
        """Look into holes of `(N, 3, 64, 64)`, -1 to 1: caption maps `(N, 155, 4, 4)`."""
        top, left = self.corner
        inside = centre(images)[:, :, top : top + CROP_SIZE, left : left + CROP_SIZE].float()
        if self.noise:
            static = distributed.shard_rows(
                lambda rows: torch.randn(rows, 3, CROP_SIZE, CROP_SIZE), len(images)
            )
            inside = inside + static.to(images.device) * self.noise
        return scorer_input(inside, extract_features(inside, RESOLUTION))


def sample_hole_view(noise: float) -> HoleView:
    """Draw where to look next, the same on every rank."""
    row, column = random_corners(1, HOLE - CROP_SIZE, torch.default_generator)[0].tolist()
    return HoleView((row, column), noise)


@lru_cache(maxsize=2)
def load_hole_scorer(device: str) -> Scorer:
    """Return the trained scorer on a device, frozen.

    Raises:
        FrozenWeightsError: the file is another one than runs of this version were trained with.
    """
    return load_frozen_scorer(resources.files("training") / "weights" / WEIGHTS, DIGEST, device)
