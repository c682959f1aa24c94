"""Locally connected layers: convolutions without weight sharing across positions."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold


class LocallyConnected(nn.Module):
    """A 3×3 convolution with separate weights and a separate bias at every position (Keras).

    `(N, in, S, S)` becomes `(N, out, S, S)`; it has `S² × out × (9 × in + 1)` parameters.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int) -> None:
        super().__init__()
        fan_in, places = 9 * in_channels, size * size
        self.weight = nn.Parameter(torch.empty(places, fan_in, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels, size, size))
        nn.init.uniform_(self.weight, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the filter of each position; the border is padded with zeros."""
        patches = unfold(x, 3, padding=1)  # (N, 9·in, places)
        out: Tensor = torch.einsum("nkp,pko->nop", patches, self.weight)
        return out.reshape(-1, *self.bias.shape) + self.bias
