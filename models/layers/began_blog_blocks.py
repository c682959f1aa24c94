"""Blocks that the generator and discriminator of the small 32×32 BEGAN share."""

from torch import Tensor, nn

from models.layers.blocks import conv_block

SIZE, GRID, CODE_DIM, WIDTH = 32, 4, 4096, 64


class BlogDecoder(nn.Module):
    """Decode 256×4×4 to 64×32×32: two convolutions a level, nearest-neighbour upsampling."""

    def __init__(self, *, batch_norm: bool) -> None:
        super().__init__()
        channels = CODE_DIM // GRID**2
        layers: list[nn.Module] = [nn.Unflatten(1, (channels, GRID, GRID))]
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        for level in range(4):
            first = channels if level == 0 else WIDTH
            up = [nn.Upsample(scale_factor=2.0)] if level else []
            layers += [
                *up,
                blog_conv(first, WIDTH, batch_norm),
                blog_conv(WIDTH, WIDTH, batch_norm),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, code: Tensor) -> Tensor:
        """Decode `(N, 4096)` to `(N, 64, 32, 32)`."""
        out: Tensor = self.layers(code)
        return out


def blog_conv(
    in_channels: int, out_channels: int, batch_norm: bool, stride: int = 1
) -> nn.Sequential:
    """Build a 3×3 convolution with ELU."""
    return conv_block(
        in_channels, out_channels, stride=stride, batch_norm=batch_norm, activation="elu"
    )
