"""The noise that generators read, and the activations that bound their output to -1 to 1."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from models.layers.blocks import check_choice

NOISE_KINDS = ("normal", "uniform")
MAX_UNIFORM = 1 - 1e-6  # 4.9 standard deviations of the normal noise
OUTPUT_KINDS = ("clip", "tanh")


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


class _ClipFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,), (grad,) = ctx.saved_tensors, grads
        inward: Tensor = grad * ((x.abs() <= 1) | (grad * x > 0))
        return inward


class Clip(nn.Module):
    """Clip to -1 to 1, with a gradient for values outside.

    `clamp` has no gradient beyond its ends, so a pixel that got there would stay white or black.
    Here a gradient passes where a descent step would lead back into the range.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Clip `x`; the gradient is 0 only where a descent step would lead further out."""
        out: Tensor = _ClipFunction.apply(x)
        return out


def output_activation(kind: str) -> nn.Module:
    """Build the output activation of a generator, `clip` or `tanh`.

    Raises:
        ValueError: the kind is unknown.
    """
    check_choice("output", kind, OUTPUT_KINDS)
    return nn.Tanh() if kind == "tanh" else Clip()
