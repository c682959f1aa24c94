"""Noise as a network wants it, made of the standard normal noise that every caller draws."""

import math

import torch
from torch import Tensor

KINDS = ("normal", "uniform")


def spread(noise: Tensor, kind: str) -> Tensor:
    """Turn standard normal noise into the kind a network was trained with.

    Args:
        noise: `(N, noise_dim)`, standard normal.
        kind: `normal` leaves it; `uniform` sends it through its own distribution function,
            `2Φ(z) - 1 = erf(z / √2)`, and so spreads it evenly over -1 to 1.
    """
    return torch.erf(noise / math.sqrt(2)) if kind == "uniform" else noise
