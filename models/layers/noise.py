"""Noise as a network wants it, made of the standard normal noise that every caller draws."""

import math

import torch
from torch import Tensor

NOISE_KINDS = ("normal", "uniform")
MAX_UNIFORM = 1 - 1e-6  # the most that uniform noise is spread to: 4.9 standard deviations


def from_normal(noise: Tensor, kind: str) -> Tensor:
    """Turn standard normal noise into the kind a network was trained with.

    Args:
        noise: `(N, noise_dim)`, standard normal.
        kind: `normal` leaves it; `uniform` sends it through its own distribution function,
            `2Φ(z) - 1 = erf(z / √2)`, and so spreads it evenly over -1 to 1.
    """
    return torch.erf(noise / math.sqrt(2)) if kind == "uniform" else noise


def to_normal(latent: Tensor, kind: str) -> Tensor:
    """Turn what a network sees back into the standard normal noise that it is made of.

    Args:
        latent: `(…, noise_dim)`, in the network's own space.
        kind: as in `from_normal`; what lies beyond the -1 to 1 of `uniform` is clipped to it first.
    """
    if kind != "uniform":
        return latent
    return torch.erfinv(latent.clamp(-MAX_UNIFORM, MAX_UNIFORM)) * math.sqrt(2)
