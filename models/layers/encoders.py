"""A SqueezeNet-style encoder of images (Iandola et al. 2016)."""

from functools import partial

import torch
from torch import Tensor, nn

from models.layers.blocks import ACTIVATIONS


class Fire(nn.Module):
    """SqueezeNet's Fire module: a 1×1 squeeze, then parallel 1×1 and 3×3 expansions.

    Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", §3.2.
    The squeeze has 1/8 of the output channels, as in the paper. `(N, in, H, W)` becomes
    `(N, out, H, W)`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        batch_norm: bool = True,
        activation: str = "leaky_relu",
    ) -> None:
        super().__init__()
        squeezed, half = max(out_channels // 8, 8), out_channels // 2
        activate = ACTIVATIONS[activation]
        self.squeeze = nn.Sequential(nn.Conv2d(in_channels, squeezed, 1), activate())
        self.expand1 = nn.Conv2d(squeezed, half, 1)
        self.expand3 = nn.Conv2d(squeezed, out_channels - half, 3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()
        self.activation = activate()

    def forward(self, x: Tensor) -> Tensor:
        """Squeeze, expand twice, concatenate the channels."""
        squeezed = self.squeeze(x)
        expanded = torch.cat([self.expand1(squeezed), self.expand3(squeezed)], dim=1)
        out: Tensor = self.activation(self.norm(expanded))
        return out


class SqueezeEncoder(nn.Module):
    """A strided stem, then Fire modules between 3×3 max-poolings of stride 2 (ibid., Table 1)."""

    def __init__(
        self,
        width: int = 64,
        *,
        in_channels: int = 4,
        batch_norm: bool = True,
        activation: str = "leaky_relu",
    ) -> None:
        super().__init__()
        w = width
        fire = partial(Fire, batch_norm=batch_norm, activation=activation)
        pool = partial(nn.MaxPool2d, 3, stride=2, padding=1)
        self.out_channels = 8 * w
        self.stages = nn.Sequential(
            nn.Conv2d(in_channels, w, 3, stride=2, padding=1),  # 32
            ACTIVATIONS[activation](),
            fire(w, 2 * w),
            pool(),  # 16
            fire(2 * w, 4 * w),
            fire(4 * w, 4 * w),
            pool(),  # 8
            fire(4 * w, 6 * w),
            fire(6 * w, 6 * w),
            pool(),  # 4
            fire(6 * w, 8 * w),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Encode `(N, in_channels, 64, 64)` to `(N, 8 × width, 4, 4)`."""
        out: Tensor = self.stages(x)
        return out
