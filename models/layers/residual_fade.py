"""Vanishing residuals: layers that fade in (Berthelot, Schumm & Metz 2017)."""

import torch
from torch import Tensor, nn


class ResidualFade(nn.Module):
    """`carry · x + (1 - carry) · layer(x)`: at carry 1 a wire, at 0 the layer alone.

    The carry is a buffer, so that a checkpoint, a moving average and a bundle hold the network as
    it was; who trains lowers it (`set_alpha`).
    """

    carry: Tensor

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("carry", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Mix `x` and what the layer makes of it, both `(N, C, H, W)`."""
        out: Tensor = self.layer(x)
        return out + self.carry * (x - out)


def set_alpha(module: nn.Module, carry: float) -> None:
    """Set every vanishing residual's carry, 1 to 0."""
    for layer in module.modules():
        if isinstance(layer, ResidualFade):
            layer.carry.fill_(carry)
