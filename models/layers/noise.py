"""Conversion between standard normal noise and the distribution a network was trained with."""

import math

import torch
from torch import Tensor

NOISE_KINDS = ("normal", "uniform")
MAX_UNIFORM = 1 - 1e-6  # 4.9 standard deviations of the normal noise


def from_normal(noise: Tensor, kind: str) -> Tensor:
    """Convert standard normal noise to the noise of a network.

    Args:
        noise: `(N, noise_dim)`, standard normal.
        kind: `normal` returns the noise unchanged; `uniform` maps it to -1 to 1 by the normal
            distribution function, `2Φ(z) - 1 = erf(z / √2)`.
    """
    return torch.erf(noise / math.sqrt(2)) if kind == "uniform" else noise


def to_normal(latent: Tensor, kind: str) -> Tensor:
    """Convert the noise of a network to standard normal noise; the inverse of `from_normal`.

    Args:
        latent: `(…, noise_dim)`, as the network takes it.
        kind: as in `from_normal`; `uniform` noise is clipped to -1 to 1 first.
    """
    if kind != "uniform":
        return latent
    return torch.erfinv(latent.clamp(-MAX_UNIFORM, MAX_UNIFORM)) * math.sqrt(2)
