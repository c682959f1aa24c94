"""DCGAN's discriminator (Radford, Metz & Chintala 2015, §3), for sizes 32, 64 and 128."""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from models.discriminator_outputs import Logits
from models.layers.blocks import count_levels, down_block, init_normal, run_levels
from models.layers.renamed import accept_old_names

GRID = 4  # side of the smallest feature map


@dataclass(frozen=True)
class DcganDiscriminatorSettings:
    """Sizes of DCGAN's discriminator.

    Attributes:
        size: side of the image.
        width: channels after the first convolution.
        batch_norm: on all but the first layer; off for a critic with gradient penalty.
    """

    size: int = 64
    width: int = 128
    batch_norm: bool = True


class DcganDiscriminator(nn.Module):
    """Strided convolutions with LeakyReLU 0.2, then one score."""

    output_type = Logits

    def __init__(self, settings: DcganDiscriminatorSettings) -> None:
        super().__init__()
        self.settings = settings
        levels = count_levels(2 * GRID, settings.size)
        channels = [3, *(settings.width << i for i in range(levels))]
        self.levels = nn.ModuleList(
            down_block(a, b, batch_norm=settings.batch_norm and a != channels[0])
            for a, b in pairwise(channels)
        )
        self.classifier = nn.Conv2d(channels[-1], 1, GRID)
        self.apply(init_normal)
        accept_old_names(self, judge="classifier")

    def forward(self, images: Tensor, caption: Tensor) -> Logits:
        """Score images `(N, 3, size, size)`, -1 to 1; the caption is not used."""
        features = run_levels(self.levels, images)
        return Logits(self.classifier(features[-1]).flatten(), features)
