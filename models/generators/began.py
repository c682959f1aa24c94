"""BEGAN's generator (Berthelot, Schumm & Metz 2017, §3.5.1 and Figure 1), for sizes 16 to 128.

The discriminator shares its settings, decoder and blocks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from models.layers.blocks import ACTIVATIONS, check_choice, conv_block, count_levels
from models.layers.generator_io import NOISE_KINDS, Clip, from_normal
from models.layers.renamed import accept_old_names

GRID = 8  # side of the smallest feature map
MAX_WIDTH = 128


@dataclass(frozen=True)
class BeganSettings:
    """Sizes that BEGAN's encoder and decoder share.

    Attributes:
        size: side of the image, 16 to 128.
        width: n, filters of a decoder level; the encoder has n, 2n, 3n, … filters.
        skips: concatenate the decoder's first map to the input of every upsampled level.
        batch_norm: add batch norm; the paper has none.
        activation: `elu` as in the paper, or `relu`.
    """

    size: int = 64
    width: int = 64
    skips: bool = True
    batch_norm: bool = False
    activation: str = "elu"

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)
        if not 1 <= self.width <= MAX_WIDTH:
            raise ValueError(f"width {self.width} is not 1 to {MAX_WIDTH}")


class ResidualFade(nn.Module):
    """Compute `alpha · x + (1 - alpha) · layer(x)`: the identity at alpha 1, the layer at 0.

    The vanishing residuals of Berthelot, Schumm & Metz 2017, §3.5.1.
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


class UpsamplingLevels(nn.Module):
    """Levels of two convolutions, with nearest-neighbour upsampling between them.

    `(N, n, grid, grid)` becomes `(N, 3, size, size)`, without an output activation.
    """

    def __init__(self, settings: BeganSettings, grid: int = GRID) -> None:
        super().__init__()
        self.skips = settings.skips
        n, count = settings.width, count_levels(grid, settings.size)
        joined = 2 * n if settings.skips else n
        self.levels = nn.ModuleList(
            conv_pair(n if i == 0 else joined, n, settings) for i in range(count)
        )
        self.to_rgb = nn.Conv2d(n, 3, 3, padding=1)
        accept_old_names(self, paint="to_rgb")

    def forward(self, first: Tensor) -> Tensor:
        """Upsample the first map to the image."""
        x = self.levels[0](first)
        for level in list(self.levels)[1:]:
            x = interpolate(x, scale_factor=2.0)
            if self.skips:
                x = torch.cat([x, interpolate(first, size=x.shape[2:])], dim=1)
            x = level(x)
        out: Tensor = self.to_rgb(x)
        return out


class BeganDecoder(nn.Module):
    """Decode a code `(N, h)` to an image `(N, 3, size, size)`."""

    def __init__(self, code: int, settings: BeganSettings) -> None:
        super().__init__()
        self.project = nn.Linear(code, settings.width * GRID * GRID)
        self.upsampling = UpsamplingLevels(settings)
        accept_old_names(self, upward="upsampling")

    def forward(self, code: Tensor) -> Tensor:
        """Project the code to the first map, h₀, and upsample it."""
        out: Tensor = self.upsampling(self.project(code).unflatten(1, (-1, GRID, GRID)))
        return out


@dataclass(frozen=True)
class BeganGeneratorSettings(BeganSettings):
    """Sizes of the generator, which has the architecture of the discriminator's decoder.

    Attributes:
        noise_dim: length of the noise vector.
        noise: `uniform` as in the paper, or `normal`.
    """

    noise_dim: int = 64
    noise: str = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("noise", self.noise, NOISE_KINDS)


class BeganGenerator(nn.Module):
    """Decode noise to an image, clipped to -1 to 1."""

    def __init__(self, settings: BeganGeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.decoder = BeganDecoder(settings.noise_dim, settings)
        self.clip = Clip()

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Generate images `(N, 3, size, size)`, -1 to 1, from noise `(N, noise_dim)` alone."""
        out: Tensor = self.clip(self.decoder(from_normal(noise, self.settings.noise)))
        return out


def conv_pair(in_channels: int, out_channels: int, settings: BeganSettings) -> nn.Sequential:
    """Build two 3×3 convolutions; the second, which keeps the shape, is a `ResidualFade`."""
    first = began_conv(in_channels, out_channels, settings)
    return nn.Sequential(first, ResidualFade(began_conv(out_channels, out_channels, settings)))


def began_conv(
    in_channels: int, out_channels: int, settings: BeganSettings, stride: int = 1
) -> nn.Sequential:
    """Build a 3×3 convolution with the norm and activation of the settings."""
    return conv_block(
        in_channels,
        out_channels,
        stride=stride,
        batch_norm=settings.batch_norm,
        activation=settings.activation,
    )
