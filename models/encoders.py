"""What reads the context."""

from torch import Tensor, nn

from models.blocks import Fire


class SqueezeEncoder(nn.Module):
    """A small SqueezeNet-style encoder: strided stem, then Fire modules between poolings.

    `(N, 4, 64, 64)` (RGB with the hole blanked, and the hole's mask) becomes
    `(N, 8 × width, 4, 4)`. After Iandola et al. 2016, with the poolings replaced by strided
    convolutions of depth one, as Radford 2015 advises for GANs.
    """

    def __init__(self, width: int = 64, *, batch_norm: bool = True) -> None:
        super().__init__()
        w = width
        self.out_channels = 8 * w
        self.stages = nn.Sequential(
            nn.Conv2d(4, w, 3, stride=2, padding=1),  # 32
            nn.LeakyReLU(0.2, inplace=True),
            Fire(w, 2 * w, batch_norm=batch_norm),
            shrink(2 * w),  # 16
            Fire(2 * w, 4 * w, batch_norm=batch_norm),
            Fire(4 * w, 4 * w, batch_norm=batch_norm),
            shrink(4 * w),  # 8
            Fire(4 * w, 6 * w, batch_norm=batch_norm),
            Fire(6 * w, 6 * w, batch_norm=batch_norm),
            shrink(6 * w),  # 4
            Fire(6 * w, 8 * w, batch_norm=batch_norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Encode `(N, 4, 64, 64)` to `(N, 8 × width, 4, 4)`."""
        out: Tensor = self.stages(x)
        return out


def shrink(channels: int) -> nn.Conv2d:
    """Build a depthwise strided convolution: a learned pooling that halves H and W."""
    return nn.Conv2d(channels, channels, 4, stride=2, padding=1, groups=channels)
