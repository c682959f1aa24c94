"""What discriminators say of pictures; an objective names the kind it needs."""

from typing import NamedTuple

from torch import Tensor


class Logits(NamedTuple):
    """How real a discriminator finds each picture.

    Attributes:
        score: `(N,)`, higher is more real; a logit, with no sigmoid on it.
        features: activations to match, finest first, each `(N, C, H, W)`.
    """

    score: Tensor
    features: tuple[Tensor, ...]


class PatchLogits(NamedTuple):
    """How real a discriminator finds each of several overlapping parts of each picture.

    Attributes:
        scores: `(N, places)`, higher is more real.
        features: as a `Logits` has them.
    """

    scores: Tensor
    features: tuple[Tensor, ...]


class Reconstruction(NamedTuple):
    """What an autoencoder makes of each picture; the nearer, the more real it finds it.

    Attributes:
        images: `(N, 3, H, W)`, like the pictures; not clipped.
        code: `(N, code)`, the bottleneck.
    """

    images: Tensor
    code: Tensor
