"""The generator of the small 32×32 BEGAN, with a locally connected output: 2.4 M parameters.

The discriminator shares its decoder.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from models.layers.blocks import conv_block
from models.layers.generator_io import Clip, from_normal
from models.layers.renamed import accept_old_names

SIZE, GRID, CODE_DIM, WIDTH = 32, 4, 4096, 64


@dataclass(frozen=True)
class BlogGeneratorSettings:
    """Settings of the generator; its widths are fixed.

    Attributes:
        noise_dim: length of the noise vector, uniform on -1 to 1.
        batch_norm: batch norm on all layers but the output.
    """

    noise_dim: int = 64
    batch_norm: bool = True


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


class BlogGenerator(nn.Module):
    """A linear layer, convolutions, and a locally connected output layer."""

    def __init__(self, settings: BlogGeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.project = nn.Linear(settings.noise_dim, CODE_DIM)
        self.decoder = BlogDecoder(batch_norm=settings.batch_norm)
        self.to_rgb = LocallyConnected(WIDTH, 3, SIZE)
        self.clip = Clip()
        accept_old_names(self, grow="decoder", paint="to_rgb")

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Generate images `(N, 3, 32, 32)`, -1 to 1, from noise `(N, noise_dim)` alone."""
        z = from_normal(noise, "uniform")
        out: Tensor = self.clip(self.to_rgb(self.decoder(self.project(z))))
        return out


def blog_conv(
    in_channels: int, out_channels: int, batch_norm: bool, stride: int = 1
) -> nn.Sequential:
    """Build a 3×3 convolution with ELU."""
    return conv_block(
        in_channels, out_channels, stride=stride, batch_norm=batch_norm, activation="elu"
    )
