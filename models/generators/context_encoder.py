"""The context encoder's generator, which uses neither caption nor noise: a baseline.

Pathak et al. 2016, "Context Encoders: Feature Learning by Inpainting", in the layout of PyTorch-GAN
(Linder-Norén, `implementations/context_encoder`). PyTorch-GAN fills 64×64 of 128×128. Here it is
32×32 of 64×64, so encoder and decoder have one level less: the encoder has one level of 64 channels
instead of two, and the decoder ends at 128 channels instead of 64. The 512 channels at 4×4 and the
bottleneck are the same.

Weights are initialised from N(0, 0.02) as in PyTorch-GAN. Biases start at 0 (there: PyTorch's
default). Layers before batch norm have no bias, because batch norm removes it.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import fold

from models.layers.blocks import down_block, init_normal, up_block
from models.layers.renamed import accept_old_names

# Batch norm's epsilon; PyTorch-GAN passes 0.8 as the second argument of BatchNorm2d.
EPSILON = 0.8
HOLE_COLOUR = 1.0  # white


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


class TransposedConv(nn.ConvTranspose2d):
    """The same weights and, but for rounding, the same numbers as `nn.ConvTranspose2d`.

    A convolution sorts its weights into blocks in each pass; where a batch has few places and the
    layer tens of millions of weights, that takes most of the time on a CPU. One matrix product with
    the overlapping pieces added up does without: four times as fast for eight 4×4 maps and 4000 to
    512 channels. In evaluation it is the plain layer, which engines and exporters know.
    """

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `(N, in, H, W)` into `(N, out, H', W')`; without bias, groups or dilation."""
        if not self.training:
            return super().forward(x, output_size)
        rows, channels, height, width = x.shape
        kernel, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        places = x.permute(0, 2, 3, 1).reshape(-1, channels)
        # In this order channels_last weights need no copy.
        weight = self.weight.permute(0, 2, 3, 1).reshape(channels, -1)
        pieces = (places @ weight).float().view(rows, height * width, -1, self.out_channels)
        pieces = pieces.permute(0, 3, 2, 1).reshape(rows, -1, height * width)
        larger = [(side - 1) * stride - 2 * padding + kernel for side in (height, width)]
        return fold(pieces, (larger[0], larger[1]), kernel, padding=padding, stride=stride)


class ContextEncoder(nn.Module):
    """Strided convolutions to 4×4, a wide 1×1 bottleneck, transposed convolutions to the hole."""

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
        self.to_rgb = nn.Sequential(nn.Conv2d(up[-1], 3, 3, padding=1), nn.Tanh())
        self.apply(init_normal)
        accept_old_names(self, paint="to_rgb")

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Fill the hole, `(N, 3, 32, 32)`, from the context alone, whose hole becomes white."""
        whitened = context.masked_fill(mask > 0, HOLE_COLOUR)
        out: Tensor = self.to_rgb(self.decoder(self.bottleneck(self.encoder(whitened))))
        return out
