"""Outputs of discriminators; an objective names the kind it needs."""

from typing import NamedTuple

from torch import Tensor


class Logits(NamedTuple):
    """One score for each image.

    Attributes:
        score: `(N,)`, higher is more real; a logit, with no sigmoid on it.
        features: activations to match, finest first, each `(N, C, H, W)`.
    """

    score: Tensor
    features: tuple[Tensor, ...]


class PatchLogits(NamedTuple):
    """A score for each of several overlapping parts of each image, `(N, places)`."""

    scores: Tensor
    features: tuple[Tensor, ...]


class Reconstruction(NamedTuple):
    """An autoencoder's reconstructions `(N, 3, H, W)`, not clipped, and codes `(N, code)`.

    The smaller the reconstruction error, the more real is the image.
    """

    images: Tensor
    code: Tensor
