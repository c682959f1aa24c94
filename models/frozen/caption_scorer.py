"""A frozen scorer of caption match on pretrained features, to train the flagship against.

Trained on real images alone (`captionfill-train scorer steering`), then frozen. Bundles ship
another scorer, and evaluations use a third one.
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
    """Return the scorer's input, `(N, 155, H, W)` on the grid of the coarsest stage.

    It has the features of strides 16 and 8, and the colours: `window` is a crop of the images,
    `(N, 3, W, W)`, -1 to 1, with its features at strides 4, 8 and 16.
    """
    coarse = features[-1]
    height, width = coarse.shape[-2:]
    finer = [adaptive_avg_pool2d(x, (height, width)) for x in (features[1], window)]
    return torch.cat([coarse, *finer], dim=1)


def build_caption_scorer(caption_dim: int = CAPTION_DIM) -> Scorer:
    """Build a scorer whose images are `scorer_input` maps."""
    image_encoder = nn.Sequential(
        nn.Conv2d(CHANNELS[2] + CHANNELS[1] + 3, WIDTH, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Scorer(image_encoder, WIDTH, caption_dim, CODE_DIM)


@lru_cache(maxsize=2)
def load_caption_scorer(device: str) -> Scorer:
    """Load the trained scorer on a device, frozen; on `meta` without weights.

    One instance is shared; it is not part of any checkpoint.

    Raises:
        FrozenWeightsError: the file has another digest than this version's.
    """
    return load_frozen_scorer(resources.files("models") / "weights" / WEIGHTS, DIGEST, device)


def load_frozen_scorer(place: Traversable, digest: str, device: str) -> Scorer:
    """Load a frozen scorer of `scorer_input` maps; on `meta` no file is read.

    Raises:
        FrozenWeightsError: the file has another digest.
    """
    with torch.device("meta"):  # initialising weights would advance the random state
        scorer = build_caption_scorer()
    if device != "meta":
        data = place.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise FrozenWeightsError(f"{place.name} is not the file of this version")
        saved = {name: value.float() for name, value in load(data).items()}
        scorer.load_state_dict(saved, assign=True)
        scorer.to(device)
    return scorer.eval().requires_grad_(False)
