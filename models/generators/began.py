"""BEGAN's networks (Berthelot, Schumm & Metz 2017, §3.5.1 and Figure 1), at 16 to 128."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from models.discriminator_outputs import Reconstruction
from models.layers.blocks import ACTIVATIONS, check_choice, conv_block, init_kaiming
from models.layers.encoders import SqueezeEncoder
from models.layers.noise import NOISE_KINDS, from_normal
from models.layers.output_activation import Clip
from models.layers.residual_fade import ResidualFade

GRID = 8  # side of the smallest feature map
MOST_FILTERS = 128


def count_levels(grid: int, size: int) -> int:
    """Return how many resolutions there are from `grid` to `size`, doubling."""
    levels = max(size // grid, 1).bit_length()
    if grid << (levels - 1) != size:
        raise ValueError(f"size {size} is not {grid} doubled some times")
    return levels


@dataclass(frozen=True)
class BeganSettings:
    """What all of BEGAN's halves have in common.

    Attributes:
        size: side of the picture.
        width: n, filters of a level; the encoder has n, 2n, 3n, … as it goes down.
        skips: join the decoder's first map to every level that is upsampled.
        batch_norm: the paper has none; for comparison.
        activation: `elu` as in the paper, or `relu`.
    """

    size: int = 64
    width: int = 64
    skips: bool = True
    batch_norm: bool = False
    activation: str = "elu"

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)
        if not 1 <= self.width <= MOST_FILTERS:
            raise ValueError(f"width {self.width} is not 1 to {MOST_FILTERS}")


class UpsamplingLevels(nn.Module):
    """The decoder's levels: two convolutions, then nearest-neighbour upsampling, and again.

    `(N, n, grid, grid)` becomes `(N, 3, size, size)`, with no activation at the end.
    """

    def __init__(self, style: BeganSettings, grid: int = GRID) -> None:
        super().__init__()
        self.skips = style.skips
        levels, n = count_levels(grid, style.size), style.width
        joined = 2 * n if style.skips else n
        self.levels = nn.ModuleList(
            conv_pair(n if i == 0 else joined, n, style) for i in range(levels)
        )
        self.paint = nn.Conv2d(n, 3, 3, padding=1)

    def forward(self, first: Tensor) -> Tensor:
        """Go up from the first map."""
        x = self.levels[0](first)
        for level in list(self.levels)[1:]:
            x = interpolate(x, scale_factor=2.0)
            if self.skips:
                x = torch.cat([x, interpolate(first, size=x.shape[2:])], dim=1)
            x = level(x)
        out: Tensor = self.paint(x)
        return out


class ConvEncoder(nn.Module):
    """The encoder's levels: two convolutions, then a strided one with n filters more."""

    def __init__(self, style: BeganSettings) -> None:
        super().__init__()
        n, levels = style.width, count_levels(GRID, style.size)
        layers: list[nn.Module] = [began_conv(3, n, style)]
        for i in range(1, levels):
            layers += [
                conv_pair(i * n, i * n, style),
                began_conv(i * n, (i + 1) * n, style, stride=2),
            ]
        self.layers = nn.Sequential(*layers, conv_pair(levels * n, levels * n, style))
        self.out_features = levels * n * GRID * GRID

    def forward(self, images: Tensor) -> Tensor:
        """Go down from `(N, 3, size, size)` to `(N, out_features)`."""
        out: Tensor = self.layers(images).flatten(1)
        return out


class Decoder(nn.Module):
    """A code `(N, h)` to a picture `(N, 3, size, size)`; both players have one."""

    def __init__(self, code: int, style: BeganSettings) -> None:
        super().__init__()
        self.project = nn.Linear(code, style.width * GRID * GRID)
        self.upward = UpsamplingLevels(style)

    def forward(self, code: Tensor) -> Tensor:
        """Decode; the first map, h₀, is what the skips carry up."""
        out: Tensor = self.upward(self.project(code).unflatten(1, (-1, GRID, GRID)))
        return out


@dataclass(frozen=True)
class BeganGeneratorSettings(BeganSettings):
    """Sizes of the generator, which is the discriminator's decoder on noise.

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
    """Noise through a decoder, clipped to -1 to 1."""

    def __init__(self, settings: BeganGeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.decoder = Decoder(settings.noise_dim, settings)
        self.clip = Clip()

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Make a picture `(N, 3, size, size)`, -1 to 1, of noise `(N, noise_dim)` alone."""
        out: Tensor = self.clip(self.decoder(from_normal(noise, self.settings.noise)))
        return out


@dataclass(frozen=True)
class BeganDiscriminatorSettings(BeganSettings):
    """Sizes of the discriminator.

    Attributes:
        caption_dim: length of a caption vector.
        caption_code: numbers of the caption that join the code; 0 does not read it.
        code: h, length of the code.
        encoder: `conv` as in the paper, or `squeeze`, the inpainting generator's, width / 2 at its
            stem (64×64 only).
    """

    caption_dim: int = 384
    caption_code: int = 0
    code: int = 64
    encoder: str = "conv"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("encoder", self.encoder, ("conv", "squeeze"))


class BeganDiscriminator(nn.Module):
    """A discriminator that tells real pictures by how well it rebuilds them."""

    output_type = Reconstruction

    def __init__(self, settings: BeganDiscriminatorSettings) -> None:
        super().__init__()
        s = self.settings = settings
        if s.encoder == "squeeze":
            down = SqueezeEncoder(
                s.width // 2, in_channels=3, batch_norm=s.batch_norm, activation=s.activation
            )
            self.encoder: nn.Module = nn.Sequential(down.apply(init_kaiming), nn.Flatten())
            features = down.out_channels * 4 * 4
        else:
            self.encoder = conv = ConvEncoder(s)
            features = conv.out_features
        self.squeeze = nn.Linear(features, s.code)
        self.caption = nn.Linear(s.caption_dim, s.caption_code) if s.caption_code else None
        self.decoder = Decoder(s.code + s.caption_code, s)

    def forward(self, images: Tensor, caption: Tensor) -> Reconstruction:
        """Rebuild pictures from their code, and their caption where it is read.

        Args:
            images: `(N, 3, size, size)`, -1 to 1.
            caption: `(N, caption_dim)`.
        """
        code: Tensor = self.squeeze(self.encoder(images))
        told = code if self.caption is None else torch.cat([code, self.caption(caption)], dim=1)
        return Reconstruction(self.decoder(told), code)


def conv_pair(in_channels: int, out_channels: int, style: BeganSettings) -> nn.Sequential:
    """Build two 3×3 convolutions; the second fades in, since it keeps the shape."""
    first = began_conv(in_channels, out_channels, style)
    return nn.Sequential(first, ResidualFade(began_conv(out_channels, out_channels, style)))


def began_conv(
    in_channels: int, out_channels: int, style: BeganSettings, stride: int = 1
) -> nn.Sequential:
    """Build a convolution in the style given."""
    return conv_block(
        in_channels,
        out_channels,
        stride=stride,
        batch_norm=style.batch_norm,
        activation=style.activation,
    )
