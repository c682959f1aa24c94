"""Residual connections that fade out during training (Berthelot, Schumm & Metz 2017, §3.5.1)."""

import torch
from torch import Tensor, nn

from models.layers.renamed import accept_old_names


class ResidualFade(nn.Module):
    """Compute `alpha · x + (1 - alpha) · layer(x)`: the identity at alpha 1, the layer at 0.

    Alpha is a buffer, so that checkpoints, moving averages and bundles hold its value. The trainer
    lowers it.
    """

    alpha: Tensor

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("alpha", torch.zeros(()))
        accept_old_names(self, carry="alpha")

    def forward(self, x: Tensor) -> Tensor:
        """Mix `x` and `layer(x)`, both `(N, C, H, W)`."""
        out: Tensor = self.layer(x)
        return out + self.alpha * (x - out)
