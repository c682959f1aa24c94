"""Encoders of the context."""

from functools import partial

from torch import Tensor, nn

from models.layers.blocks import ACTIVATIONS, Fire


class SqueezeEncoder(nn.Module):
    """A small SqueezeNet-style encoder: strided stem, then Fire modules between poolings.

    `(N, in_channels, 64, 64)` (4: RGB with the hole set to 0, and the mask) becomes
    `(N, 8 × width, 4, 4)`. After Iandola et al. 2016, Table 1, with 3×3 max-pooling of stride 2.
    """

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


def pool() -> nn.MaxPool2d:
    """Build SqueezeNet's 3×3 max-pooling, which halves H and W."""
    return nn.MaxPool2d(3, stride=2, padding=1)
