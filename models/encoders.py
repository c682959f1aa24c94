"""What reads the context."""

from torch import Tensor, nn

from models.blocks import Fire


class SqueezeEncoder(nn.Module):
    """A small SqueezeNet-style encoder: strided stem, then Fire modules between poolings.

    `(N, 4, 64, 64)` (RGB with the hole blanked, and the hole's mask) becomes
    `(N, 8 × width, 4, 4)`. After Iandola et al. 2016, Table 1, with 3×3 max-pooling of stride 2.
    """

    def __init__(self, width: int = 64, *, batch_norm: bool = True) -> None:
        super().__init__()
        w = width
        self.out_channels = 8 * w
        self.stages = nn.Sequential(
            nn.Conv2d(4, w, 3, stride=2, padding=1),  # 32
            nn.LeakyReLU(0.2, inplace=True),
            Fire(w, 2 * w, batch_norm=batch_norm),
            pool(),  # 16
            Fire(2 * w, 4 * w, batch_norm=batch_norm),
            Fire(4 * w, 4 * w, batch_norm=batch_norm),
            pool(),  # 8
            Fire(4 * w, 6 * w, batch_norm=batch_norm),
            Fire(6 * w, 6 * w, batch_norm=batch_norm),
            pool(),  # 4
            Fire(6 * w, 8 * w, batch_norm=batch_norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Encode `(N, 4, 64, 64)` to `(N, 8 × width, 4, 4)`."""
        out: Tensor = self.stages(x)
        return out


def pool() -> nn.MaxPool2d:
    """Build SqueezeNet's pooling: halves H and W."""
    return nn.MaxPool2d(3, stride=2, padding=1)
