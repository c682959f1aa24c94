"""The generator of the GAN and WGAN inpainting recipes: a SqueezeNet-style encoder."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.layers.blocks import init_kaiming, init_normal, up_block
from models.layers.encoders import SqueezeEncoder
from models.layers.renamed import accept_old_names


@dataclass(frozen=True)
class SqueezeNetSettings:
    """Sizes of the caption-conditioned inpainting generator.

    Attributes:
        caption_dim: length of a caption vector.
        caption_code: channels of the caption code that is concatenated at the bottleneck.
        noise_dim: length of the noise vector; 0 makes the generator deterministic.
        width: channels of the encoder's stem.
        decoder_width: channels of the decoder's last hidden level.
    """

    caption_dim: int = 384
    caption_code: int = 128
    noise_dim: int = 64
    width: int = 32
    decoder_width: int = 64


class BottleneckGenerator(nn.Module, ABC):
    """An encoder, caption and noise at the bottleneck, and a decoder.

    After Pathak et al. 2016, "Context Encoders" (encoder and decoder around a bottleneck), with
    the caption joined as in Reed et al. 2016, "Generative Adversarial Text to Image Synthesis",
    §4.1: projected, repeated over the 4×4 grid and concatenated.
    """

    encoder: nn.Module
    caption: nn.Module
    fusion: nn.Module

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Fill the hole; shapes and ranges are those of `models.generators`."""
        encoded = self.encoder(torch.cat([context, mask], dim=1))
        code = torch.cat([self.caption(caption), noise], dim=1)
        grid = code[:, :, None, None].expand(-1, -1, *encoded.shape[2:])
        return self.decode(self.fusion(torch.cat([encoded, grid], dim=1)))

    @abstractmethod
    def decode(self, fused: Tensor) -> Tensor:
        """Decode the bottleneck, `(N, C, 4, 4)`, to the centre."""


class SqueezeNetGenerator(BottleneckGenerator):
    """SqueezeNet-style encoder, transposed convolutions to 32×32."""

    def __init__(self, settings: SqueezeNetSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = encoder = SqueezeEncoder(settings.width)
        self.caption = nn.Sequential(
            nn.Linear(settings.caption_dim, settings.caption_code), nn.LeakyReLU(0.2, inplace=True)
        )
        joined = encoder.out_channels + settings.caption_code + settings.noise_dim
        d = settings.decoder_width
        self.fusion = nn.Sequential(
            nn.Conv2d(joined, 8 * d, 3, padding=1, bias=False),
            nn.BatchNorm2d(8 * d),
            nn.ReLU(inplace=True),
        )
        self.decoder = nn.Sequential(
            up_block(8 * d, 4 * d, dropout=0.0),  # 8
            up_block(4 * d, 2 * d, dropout=0.0),  # 16
            up_block(2 * d, d, dropout=0.0),  # 32
            nn.Conv2d(d, 3, 3, padding=1),
            nn.Tanh(),
        )
        self.apply(init_normal)
        self.encoder.apply(init_kaiming)
        accept_old_names(self, join="fusion")

    def decode(self, fused: Tensor) -> Tensor:
        """Decode by transposed convolutions."""
        out: Tensor = self.decoder(fused)
        return out
