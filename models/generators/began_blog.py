"""The small 32×32 BEGAN with a locally connected output: 2.4 and 7.8 million parameters."""

from dataclasses import dataclass

from torch import Tensor, nn

from models.discriminator_outputs import Reconstruction
from models.layers.blocks import conv_block
from models.layers.locally_connected import LocallyConnected
from models.layers.noise import from_normal
from models.layers.output_activation import Clip

SIZE, GRID, CODE, WIDTH = 32, 4, 4096, 64
# The encoder, (filters, stride) a layer: 32 → 16 → 8 → 4 → 2 pixels.
DOWN = (
    *((64, 1), (64, 1)),
    *((96, 2), (96, 1), (96, 1)),
    *((128, 2), (128, 1), (128, 1)),
    *((192, 2), (192, 1), (192, 1)),
    *((256, 2), (256, 1), (256, 1)),
)


@dataclass(frozen=True)
class BlogGeneratorSettings:
    """What can be chosen of the generator.

    Attributes:
        noise_dim: length of the noise vector, uniform on -1 to 1.
        batch_norm: on all but the output.
    """

    noise_dim: int = 64
    batch_norm: bool = True


@dataclass(frozen=True)
class BlogDiscriminatorSettings:
    """What can be chosen of the discriminator.

    Attributes:
        batch_norm: on all but the output.
    """

    batch_norm: bool = True


class BlogDecoder(nn.Module):
    """4096 numbers, as 256×4×4, to 64×32×32: two convolutions a level, nearest upsampling."""

    def __init__(self, *, batch_norm: bool) -> None:
        super().__init__()
        channels = CODE // GRID**2
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
        """Turn `(N, 4096)` into `(N, 64, 32, 32)`."""
        out: Tensor = self.layers(code)
        return out


class BlogGenerator(nn.Module):
    """Noise, a linear layer, convolutions, and a filter of its own for every output pixel."""

    def __init__(self, settings: BlogGeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.project = nn.Linear(settings.noise_dim, CODE)
        self.grow = BlogDecoder(batch_norm=settings.batch_norm)
        self.paint = LocallyConnected(WIDTH, 3, SIZE)
        self.clip = Clip()

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Make a picture `(N, 3, 32, 32)`, -1 to 1, of noise `(N, noise_dim)` alone."""
        z = from_normal(noise, "uniform")
        out: Tensor = self.clip(self.paint(self.grow(self.project(z))))
        return out


class BlogDiscriminator(nn.Module):
    """Strided convolutions to 256×2×2, a linear layer to 4096, and the generator's way back up."""

    output_type = Reconstruction

    def __init__(self, settings: BlogDiscriminatorSettings) -> None:
        super().__init__()
        self.settings = settings
        norm = settings.batch_norm
        channels = [3, *(filters for filters, _ in DOWN)]
        self.down = nn.Sequential(
            *(
                blog_conv(before, filters, norm, stride)
                for before, (filters, stride) in zip(channels, DOWN, strict=False)
            )
        )
        self.squeeze = nn.Linear(channels[-1] * 2 * 2, CODE)
        self.grow = BlogDecoder(batch_norm=norm)
        self.paint = nn.Conv2d(WIDTH, 3, 3, padding=1)

    def forward(self, images: Tensor, caption: Tensor) -> Reconstruction:
        """Rebuild pictures `(N, 3, 32, 32)`, -1 to 1; the caption is not read."""
        code = self.squeeze(self.down(images).flatten(1))
        return Reconstruction(self.paint(self.grow(code)), code)


def blog_conv(
    in_channels: int, out_channels: int, batch_norm: bool, stride: int = 1
) -> nn.Sequential:
    """Build a 3×3 convolution with ELU."""
    return conv_block(
        in_channels, out_channels, stride=stride, batch_norm=batch_norm, activation="elu"
    )
