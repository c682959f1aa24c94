"""What tells a generator whether its fills fit their captions: a scorer on frozen features.

It is trained on real pictures alone (`training.scorers`) and then never changes; it is neither the
scorer that a bundle ships nor the one that evaluations judge by.
"""

import hashlib
from functools import lru_cache
from importlib import resources

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

from models.efficientnet import CHANNELS
from models.projected import Looked
from models.scorers import Scorer
from training.errors import RunError

WEIGHTS = "steering.safetensors"
DIGEST = "06a0593dde46ead9c05ea640dee4ff8eae44156c73a0074d2298c38b890f023e"  # sha256 of the file
CAPTION_DIM = 384
CODE, WIDTH = 128, 256
TEMPERATURE = 0.07  # Radford et al. 2021 begin with it
# Captions at least this near (cosine) may mean the same picture: they are no negatives.
SAME = 0.75


def caption_map(looked: Looked) -> Tensor:
    """Return what of a look a caption may speak of, on the grid of the coarsest stage.

    Returns:
        `(N, 155, H, W)`: the features of strides 16 and 8, and the colours themselves.
    """
    coarse = looked.features[-1]
    finer = [adaptive_avg_pool2d(x, coarse.shape[-2:]) for x in (looked.features[1], looked.window)]
    return torch.cat([coarse, *finer], dim=1)


def build_steering(caption_dim: int = CAPTION_DIM) -> Scorer:
    """Build the scorer that reads `caption_map`s."""
    pictures = nn.Sequential(
        nn.Conv2d(CHANNELS[2] + CHANNELS[1] + 3, WIDTH, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Scorer(pictures, WIDTH, caption_dim, CODE)


@lru_cache(maxsize=2)
def load_steering(device: str) -> Scorer:
    """Return the trained scorer, frozen; it belongs to no checkpoint.

    Raises:
        RunError: the file is another one than runs of this version were trained with.
    """
    data = (resources.files("training") / "weights" / WEIGHTS).read_bytes()
    if hashlib.sha256(data).hexdigest() != DIGEST:
        raise RunError(f"training/weights/{WEIGHTS} is not the file of this version")
    saved = load(data)
    with torch.device("meta"):  # drawing weights would move everybody's random numbers on
        scorer = build_steering()
    scorer.load_state_dict({name: value.float() for name, value in saved.items()}, assign=True)
    return scorer.to(device).eval().requires_grad_(False)


def contrast(seen: Tensor, read: Tensor, caption: Tensor) -> Tensor:
    """Cross-entropy of finding each picture's own caption in the batch (InfoNCE), `(N,)`.

    Oord et al. 2018, "Representation learning with contrastive predictive coding", eq. 4.

    Args:
        seen: codes of the pictures, `(N, code)`, of length 1.
        read: codes of their captions.
        caption: the caption vectors; near ones are no negatives, and a picture without a caption
            (zeros) costs nothing.
    """
    logits = seen.float() @ read.float().T / TEMPERATURE
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    told = caption.abs().sum(1) > 0
    usable = (caption @ caption.T < SAME) & told
    logits = logits.masked_fill(~(usable | own), -1e4)
    loss = cross_entropy(logits, torch.arange(len(logits), device=logits.device), reduction="none")
    return loss * told
