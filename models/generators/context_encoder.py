"""The context encoder: a generator that reads neither caption nor noise, and its discriminator.

Pathak et al. 2016, "Context Encoders: Feature Learning by Inpainting", in the layout of PyTorch-GAN
(Linder-Norén, `implementations/context_encoder`), to compare with. That one fills 64×64 of 128×128;
here it is 32×32 of 64×64, so encoder and decoder have one level less than there: the encoder has
one level of 64 channels, not two in a row, and the decoder ends at 128 channels instead of 64. What
is between, 512 channels on a 4×4 grid and the bottleneck, is the same, and so are the layers of the
discriminator: it scores 4×4 places where there it scores 8×8.

Layers are drawn from N(0, 0.02) as there. Biases start at 0 (there: as PyTorch draws them), and
there are none before a batch norm, which takes them out again.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from models.discriminator_outputs import PatchLogits
from models.geometry import HOLE, centre
from models.layers.blocks import down_block, init_normal, up_block
from models.layers.transposed_conv import TransposedConv

# Of batch norm, as there: the second argument of BatchNorm2d. What varies little stays little.
EPSILON = 0.8
HOLE_COLOUR = 1.0  # white
# Places that the discriminator scores: three of its layers halve the hole.
NUM_PATCHES = (HOLE // 8) ** 2


@dataclass(frozen=True)
class ContextEncoderSettings:
    """Sizes of the generator.

    Attributes:
        width: channels of the first level; eight times as many at 4×4.
        bottleneck: channels of the 1×1 convolution between encoder and decoder.
    """

    noise_dim: ClassVar[int] = 0

    width: int = 64
    bottleneck: int = 4000


class ContextEncoder(nn.Module):
    """Strided convolutions to 4×4, a wide 1×1 bottleneck, strided transposed ones to the hole."""

    def __init__(self, settings: ContextEncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        w = settings.width
        down, up = [w, 2 * w, 4 * w, 8 * w], [settings.bottleneck, 8 * w, 4 * w, 2 * w]
        self.encoder = nn.Sequential(
            down_block(3, w, batch_norm=False),
            *(down_block(a, b, batch_norm=True, epsilon=EPSILON) for a, b in pairwise(down)),
        )
        self.bottleneck = nn.Conv2d(down[-1], up[0], 1)
        self.decoder = nn.Sequential(
            up_block(up[0], up[1], epsilon=EPSILON, conv=TransposedConv),
            *(up_block(a, b, epsilon=EPSILON) for a, b in pairwise(up[1:])),
        )
        self.paint = nn.Sequential(nn.Conv2d(up[-1], 3, 3, padding=1), nn.Tanh())
        self.apply(init_normal)

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Fill the hole; caption and noise are not read.

        Args:
            context: `(N, 3, 64, 64)`, -1 to 1; whatever the hole is blanked to, white is seen.
            mask: `(N, 1, 64, 64)`, 1 where hidden; the network itself sees it in the white alone.
            caption: any.
            noise: `(N, 0)`: the same context has the same fill always.

        Returns:
            The centre, `(N, 3, 32, 32)`, -1 to 1.
        """
        seen = context.masked_fill(mask > 0, HOLE_COLOUR)
        out: Tensor = self.paint(self.decoder(self.bottleneck(self.encoder(seen))))
        return out


@dataclass(frozen=True)
class ContextDiscriminatorSettings:
    """Sizes of the discriminator.

    Attributes:
        width: channels after the first convolution; eight times as many after the last.
    """

    width: int = 64


class ContextDiscriminator(nn.Module):
    """Scores 4×4 overlapping patches of the fill alone: neither seam nor context is seen.

    3×3 convolutions, the first three with stride 2, instance norm (without weights) on all but the
    first, then one score for each place (Isola et al. 2017, §2.2.2, PatchGAN).
    """

    output_type = PatchLogits

    def __init__(self, settings: ContextDiscriminatorSettings) -> None:
        super().__init__()
        self.settings = settings
        channels = [3, *(settings.width << i for i in range(4))]
        self.levels = nn.ModuleList(
            patch_block(a, b, stride=stride, norm=a != 3)
            for (a, b), stride in zip(pairwise(channels), (2, 2, 2, 1), strict=True)
        )
        self.judge = nn.Conv2d(channels[-1], 1, 3, padding=1)
        self.apply(init_normal)

    def forward(self, images: Tensor, caption: Tensor) -> PatchLogits:
        """Judge the centres of `(N, 3, 64, 64)`, -1 to 1; the caption is not read."""
        seen, features = centre(images), []
        for level in self.levels:
            seen = level(seen)
            features.append(seen)
        return PatchLogits(self.judge(seen).reshape(len(images), NUM_PATCHES), tuple(features))


def patch_block(in_channels: int, out_channels: int, *, stride: int, norm: bool) -> nn.Sequential:
    """Build a 3×3 convolution with LeakyReLU 0.2 that divides H and W by `stride`."""
    layers: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)]
    if norm:
        layers.append(nn.InstanceNorm2d(out_channels))
    return nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True))
