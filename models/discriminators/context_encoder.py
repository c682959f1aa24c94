"""The context encoder's discriminator, in the layout of PyTorch-GAN.

Pathak et al. 2016, "Context Encoders: Feature Learning by Inpainting"; PyTorch-GAN's discriminator
(Linder-Norén, `implementations/context_encoder`) has the same layers and scores 8×8 patches of
64×64. Here it scores 4×4 patches of 32×32.
"""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from models.discriminator_outputs import PatchLogits
from models.geometry import HOLE, centre
from models.layers.blocks import init_normal, run_levels
from models.layers.renamed import accept_old_names

NUM_PATCHES = (HOLE // 8) ** 2  # three layers have stride 2


@dataclass(frozen=True)
class ContextDiscriminatorSettings:
    """Sizes of the discriminator.

    Attributes:
        width: channels after the first convolution; eight times as many after the last.
    """

    width: int = 64


class ContextDiscriminator(nn.Module):
    """Score 4×4 overlapping patches of the fill, without its surroundings.

    3×3 convolutions, the first three with stride 2; instance norm (without weights) on all but the
    first; one score for each patch (Isola et al. 2017, §2.2.2, PatchGAN).
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
        self.classifier = nn.Conv2d(channels[-1], 1, 3, padding=1)
        self.apply(init_normal)
        accept_old_names(self, judge="classifier")

    def forward(self, images: Tensor, caption: Tensor) -> PatchLogits:
        """Score the centres of `(N, 3, 64, 64)`, -1 to 1; the caption is not used."""
        features = run_levels(self.levels, centre(images))
        scores = self.classifier(features[-1]).reshape(len(images), NUM_PATCHES)
        return PatchLogits(scores, features)


def patch_block(in_channels: int, out_channels: int, *, stride: int, norm: bool) -> nn.Sequential:
    """Build a 3×3 convolution with LeakyReLU 0.2 that divides H and W by `stride`."""
    layers: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)]
    if norm:
        layers.append(nn.InstanceNorm2d(out_channels))
    return nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True))
