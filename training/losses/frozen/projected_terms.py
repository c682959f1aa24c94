"""Terms on the heads and frozen features of the projected discriminator."""

import torch
from torch import Tensor
from torch.nn.functional import relu

from models.discriminators.projected import FrozenFeatures


def hinge_loss(scores: list[Tensor], sign: float) -> Tensor:
    """Return `max(0, 1 + sign · score)`, the mean over each head's positions, then heads, `(N,)`.

    Lim & Ye 2017, "Geometric GAN", eq. 3.
    """
    return torch.stack([relu(1 + sign * one.float()).mean(1) for one in scores]).mean(0)


def mean_score(scores: list[Tensor]) -> Tensor:
    """Return the mean score over each head's positions, then heads, `(N,)`."""
    return torch.stack([one.float().mean(1) for one in scores]).mean(0)


def feature_distance(real: FrozenFeatures, fake: FrozenFeatures) -> Tensor:
    """Mean squared distance of pretrained features, the mean over stages, `(N,)`."""
    distances = [
        (f - r).square().mean((1, 2, 3))  # flattening would copy channels-last tensors
        for r, f in zip(real.stages, fake.stages, strict=True)
    ]
    return torch.stack(distances).mean(0)
