"""Conversion between standard normal noise and the distribution a network was trained with."""

import math

import torch
from torch import Tensor

NOISE_KINDS = ("normal", "uniform")
MAX_UNIFORM = 1 - 1e-6  # 4.9 standard deviations of the normal noise


def from_normal(noise: Tensor, kind: str) -> Tensor:
    """Convert standard normal noise `(…, noise_dim)` to the noise of a network.

    `normal` returns it unchanged; `uniform` maps it to -1 to 1 by the normal distribution
    function, `2Φ(z) - 1 = erf(z / √2)`.
    """
    return torch.erf(noise / math.sqrt(2)) if kind == "uniform" else noise


def to_normal(latent: Tensor, kind: str) -> Tensor:
    """Convert back, as the inverse of `from_normal`; `uniform` noise is clipped to -1 to 1."""
    if kind != "uniform":
        return latent
    return torch.erfinv(latent.clamp(-MAX_UNIFORM, MAX_UNIFORM)) * math.sqrt(2)
