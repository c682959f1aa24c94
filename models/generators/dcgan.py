"""DCGAN's generator (Radford, Metz & Chintala 2015, Figure 1 and §3), for sizes 32, 64 and 128."""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from models.layers.blocks import check_choice, count_levels, init_normal, up_block
from models.layers.generator_io import NOISE_KINDS, from_normal
from models.layers.renamed import accept_old_names

GRID = 4  # side of the smallest feature map


@dataclass(frozen=True)
class DcganGeneratorSettings:
    """Sizes of DCGAN's generator.

    Attributes:
        size: side of the image.
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
    """Strided transposed convolutions from noise to an image; batch norm on all but the output."""

    def __init__(self, settings: DcganGeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        levels = count_levels(2 * GRID, settings.size)
        channels = [settings.width << i for i in reversed(range(levels))]
        self.project = nn.Sequential(
            nn.ConvTranspose2d(settings.noise_dim, channels[0], GRID, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
        )
        self.decoder = nn.Sequential(*(up_block(a, b) for a, b in pairwise(channels)))
        self.to_rgb = nn.Sequential(
            nn.ConvTranspose2d(channels[-1], 3, 4, stride=2, padding=1), nn.Tanh()
        )
        self.apply(init_normal)
        accept_old_names(self, grow="decoder", paint="to_rgb")

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Generate images `(N, 3, size, size)`, -1 to 1, from noise `(N, noise_dim)` alone."""
        z = from_normal(noise, self.settings.noise)[:, :, None, None]
        out: Tensor = self.to_rgb(self.decoder(self.project(z)))
        return out
