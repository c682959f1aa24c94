"""How a generator's last layer ends up in -1 to 1."""

from typing import Any

import torch
from torch import Tensor, nn

from models.layers.blocks import check_choice

OUTPUT_KINDS = ("clip", "tanh")


class _ClipBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        (x,), (slope,) = ctx.saved_tensors, slopes
        back: Tensor = slope * ((x.abs() <= 1) | (slope * x > 0))
        return back


class Clip(nn.Module):
    """No activation but a clip to -1 to 1, out of which gradients still lead back.

    A plain clamp has no gradient beyond its ends: a pixel that strayed there would stay white or
    black for good. Here what would bring it back passes, and what would take it further does not.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Clip `x`; the gradient is 0 only where a step would lead further out."""
        out: Tensor = _ClipBack.apply(x)
        return out


def output_activation(kind: str) -> nn.Module:
    """Build the end of a generator; `ValueError` for a kind that is not there."""
    check_choice("output", kind, OUTPUT_KINDS)
    return nn.Tanh() if kind == "tanh" else Clip()
