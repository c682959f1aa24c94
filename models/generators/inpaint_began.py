"""A BEGAN generator for inpainting: a SqueezeNet-style encoder and BEGAN's decoder."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.geometry import HOLE
from models.layers.began_blocks import BeganSettings, UpsamplingLevels
from models.layers.blocks import ACTIVATIONS, check_choice, conv_block, init_kaiming
from models.layers.encoders import SqueezeEncoder
from models.layers.output_activation import output_activation
from models.layers.renamed import accept_old_names

GRID = 4  # side of the bottleneck's map


@dataclass(frozen=True)
class InpaintBeganSettings:
    """Sizes and options of the generator.

    Attributes:
        caption_dim: length of a caption vector.
        caption_code: channels of the caption code that is concatenated at the bottleneck.
        noise_dim: length of the noise vector; 0 makes the generator deterministic.
        width: channels of the encoder's stem.
        decoder_width: filters of every level of the decoder.
        skips: concatenate the bottleneck to the input of every upsampled level.
        batch_norm: batch norm in the encoder; BEGAN has none.
        activation: `elu` or `relu`.
        output: output activation, `clip` or `tanh`.
    """

    caption_dim: int = 384
    caption_code: int = 128
    noise_dim: int = 64
    width: int = 32
    decoder_width: int = 64
    skips: bool = True
    batch_norm: bool = False
    activation: str = "elu"
    output: str = "clip"

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)


class InpaintBeganGenerator(nn.Module):
    """Encoder, caption and noise at the bottleneck, BEGAN's decoder to 32×32."""

    def __init__(self, settings: InpaintBeganSettings) -> None:
        super().__init__()
        s = self.settings = settings
        self.encoder = SqueezeEncoder(s.width, batch_norm=s.batch_norm, activation=s.activation)
        self.caption = nn.Linear(s.caption_dim, s.caption_code)
        joined = self.encoder.out_channels + s.caption_code + s.noise_dim
        decoder = BeganSettings(HOLE, s.decoder_width, s.skips, activation=s.activation)
        self.fusion = conv_block(
            joined, s.decoder_width, stride=1, batch_norm=False, activation=s.activation
        )
        self.upsampling = UpsamplingLevels(decoder, GRID)
        self.output = output_activation(s.output)
        self.encoder.apply(init_kaiming)
        accept_old_names(self, join="fusion", upward="upsampling")

    def forward(self, context: Tensor, mask: Tensor, caption: Tensor, noise: Tensor) -> Tensor:
        """Fill the hole.

        Args:
            context: `(N, 3, 64, 64)`, -1 to 1, 0 in the hole.
            mask: `(N, 1, 64, 64)`, 1 in the hole.
            caption: `(N, caption_dim)`; zeros for no caption.
            noise: `(N, noise_dim)`, standard normal.

        Returns:
            The centre, `(N, 3, 32, 32)`, -1 to 1.
        """
        encoded = self.encoder(torch.cat([context, mask], dim=1))
        code = torch.cat([self.caption(caption), noise], dim=1)
        grid = code[:, :, None, None].expand(-1, -1, GRID, GRID)
        fused = self.fusion(torch.cat([encoded, grid], dim=1))
        out: Tensor = self.output(self.upsampling(fused))
        return out
