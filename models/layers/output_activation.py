"""Activations that bound a generator's output to -1 to 1."""

from typing import Any

import torch
from torch import Tensor, nn

from models.layers.blocks import check_choice

OUTPUT_KINDS = ("clip", "tanh")


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
