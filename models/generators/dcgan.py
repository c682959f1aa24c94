"""DCGAN's two networks (Radford, Metz & Chintala 2015, Figure 1 and §3), at 32, 64 or 128."""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from models.discriminator_outputs import Logits
from models.layers.blocks import check_choice, down_block, init_normal, up_block
from models.layers.noise import NOISE_KINDS, from_normal

GRID = 4  # side of the smallest feature map


def count_doublings(size: int) -> int:
    """Return how often 4×4 doubles to reach `size`; `ValueError` where it does not."""
    levels = (size // GRID).bit_length() - 1
    if levels < 1 or GRID << levels != size:
        raise ValueError(f"size {size} is not 4 doubled some times")
    return levels


@dataclass(frozen=True)
class DcganGeneratorSettings:
    """Sizes of DCGAN's generator.

    Attributes:
        size: side of the picture.
        width: channels before the last layer; the paper's 128 gives 1024 at 4×4 for 64×64.
        noise_dim: length of the noise vector.
        noise: `uniform` as in the paper, or `normal`.
    """

    size: int = 64
    width: int = 128
    noise_dim: int = 100
    noise: str = "uniform"

    def __post_init__(self) -> None:
        check_choice("noise", self.noise, NOISE_KINDS)


class DcganGenerator(nn.Module):
    """Noise to a picture by strided transposed convolutions; batch norm on all but the output."""

    def __init__(self, settings: DcganGeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        channels = [settings.width << i for i in reversed(range(count_doublings(settings.size)))]
        self.project = nn.Sequential(
            nn.ConvTranspose2d(settings.noise_dim, channels[0], GRID, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
        )
        self.grow = nn.Sequential(*(up_block(a, b) for a, b in pairwise(channels)))
        self.paint = nn.Sequential(
            nn.ConvTranspose2d(channels[-1], 3, 4, stride=2, padding=1), nn.Tanh()
        )
        self.apply(init_normal)

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Make a picture `(N, 3, size, size)`, -1 to 1, of noise `(N, noise_dim)` alone."""
        z = from_normal(noise, self.settings.noise)[:, :, None, None]
        out: Tensor = self.paint(self.grow(self.project(z)))
        return out


@dataclass(frozen=True)
class DcganDiscriminatorSettings:
    """Sizes of DCGAN's discriminator.

    Attributes:
        size: side of the picture.
        width: channels after the first convolution.
        batch_norm: on all but the first layer; a critic with gradient penalty goes without.
    """

    size: int = 64
    width: int = 128
    batch_norm: bool = True


class DcganDiscriminator(nn.Module):
    """The mirror image: strided convolutions with LeakyReLU 0.2, then one score."""

    output_type = Logits

    def __init__(self, settings: DcganDiscriminatorSettings) -> None:
        super().__init__()
        self.settings = settings
        channels = [3, *(settings.width << i for i in range(count_doublings(settings.size)))]
        self.levels = nn.ModuleList(
            down_block(a, b, batch_norm=settings.batch_norm and a != channels[0])
            for a, b in pairwise(channels)
        )
        self.judge = nn.Conv2d(channels[-1], 1, GRID)
        self.apply(init_normal)

    def forward(self, images: Tensor, caption: Tensor) -> Logits:
        """Judge pictures `(N, 3, size, size)`, -1 to 1; the caption is not read."""
        features = []
        for level in self.levels:
            images = level(images)
            features.append(images)
        return Logits(self.judge(images).flatten(), tuple(features))
