"""What tells how well a look at a picture fits a caption, for whoever trains against it.

A scorer on frozen features, trained on real pictures alone (`captionfill-train scorer steering`)
and never changed again; it is neither the scorer that a bundle ships nor the one that evaluations
judge by.
"""

import hashlib
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from models.frozen.efficientnet import CHANNELS, FrozenWeightsError
from models.frozen.scorers import Scorer

WEIGHTS = "steering.safetensors"
DIGEST = "2c7b75720d2088427a00df0ea287bf6426d441370b57590a06dab47b0cd023d0"  # sha256 of the file
CAPTION_DIM = 384
CODE_DIM, WIDTH = 128, 256


def scorer_input(window: Tensor, features: tuple[Tensor, ...]) -> Tensor:
    """Return what of a look a caption may speak of, on the grid of the coarsest stage.

    Args:
        window: what was looked at, `(N, 3, W, W)`, -1 to 1.
        features: of it, at strides 4, 8 and 16.

    Returns:
        `(N, 155, H, W)`: the features of strides 16 and 8, and the colours themselves.
    """
    coarse = features[-1]
    height, width = coarse.shape[-2:]
    finer = [adaptive_avg_pool2d(x, (height, width)) for x in (features[1], window)]
    return torch.cat([coarse, *finer], dim=1)


def build_caption_scorer(caption_dim: int = CAPTION_DIM) -> Scorer:
    """Build the scorer that reads `scorer_input`s."""
    pictures = nn.Sequential(
        nn.Conv2d(CHANNELS[2] + CHANNELS[1] + 3, WIDTH, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Scorer(pictures, WIDTH, caption_dim, CODE_DIM)


@lru_cache(maxsize=2)
def load_caption_scorer(device: str) -> Scorer:
    """Return the trained scorer on a device, frozen; on `meta` as shapes without numbers.

    It is shared by all that look through it, and belongs to no checkpoint.

    Raises:
        FrozenWeightsError: the file is another one than runs of this version were trained with.
    """
    return load_frozen_scorer(resources.files("models") / "weights" / WEIGHTS, DIGEST, device)


def load_frozen_scorer(place: Traversable, digest: str, device: str) -> Scorer:
    """Read a scorer of `scorer_input`s that never changes again; see `load_caption_scorer`.

    Args:
        place: of its weights.
        digest: sha256 of that file.
        device: where it goes; on `meta` nothing is read.

    Raises:
        FrozenWeightsError: the file is another one than runs of this version were trained with.
    """
    with torch.device("meta"):  # drawing weights would move everybody's random numbers on
        scorer = build_caption_scorer()
    if device != "meta":
        data = place.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise FrozenWeightsError(f"{place.name} is not the file of this version")
        saved = {name: value.float() for name, value in load(data).items()}
        scorer.load_state_dict(saved, assign=True)
        scorer.to(device)
    return scorer.eval().requires_grad_(False)
