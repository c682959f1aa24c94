"""BEGAN's discriminator, an autoencoder (Berthelot, Schumm & Metz 2017, §3.5.1 and Figure 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.discriminator_outputs import Reconstruction
from models.generators.began import (
    GRID,
    BeganDecoder,
    BeganSettings,
    began_conv,
    conv_pair,
)
from models.layers.blocks import check_choice, count_levels, init_kaiming
from models.layers.encoders import SqueezeEncoder
from models.layers.renamed import accept_old_names


@dataclass(frozen=True)
class BeganDiscriminatorSettings(BeganSettings):
    """Sizes of the discriminator.

    Attributes:
        caption_dim: length of a caption vector.
        caption_code: length of the caption code that is appended to the image code; 0 for none.
        code: h, length of the image code.
        encoder: `conv` as in the paper; `squeeze` for the encoder of the inpainting generator with
            stem width `width / 2` (64×64 only).
    """

    caption_dim: int = 384
    caption_code: int = 0
    code: int = 64
    encoder: str = "conv"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("encoder", self.encoder, ("conv", "squeeze"))


class ConvEncoder(nn.Module):
    """Levels of two convolutions, each followed by a strided one with n more filters."""

    def __init__(self, settings: BeganSettings) -> None:
        super().__init__()
        n, levels = settings.width, count_levels(GRID, settings.size)
        layers: list[nn.Module] = [began_conv(3, n, settings)]
        for i in range(1, levels):
            layers.append(conv_pair(i * n, i * n, settings))
            layers.append(began_conv(i * n, (i + 1) * n, settings, stride=2))
        self.layers = nn.Sequential(*layers, conv_pair(levels * n, levels * n, settings))
        self.out_features = levels * n * GRID * GRID

    def forward(self, images: Tensor) -> Tensor:
        """Encode `(N, 3, size, size)` to `(N, out_features)`."""
        out: Tensor = self.layers(images).flatten(1)
        return out


class BeganDiscriminator(nn.Module):
    """Reconstruct images; the reconstruction error is the score."""

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
        self.bottleneck = nn.Linear(features, s.code)
        self.caption = nn.Linear(s.caption_dim, s.caption_code) if s.caption_code else None
        self.decoder = BeganDecoder(s.code + s.caption_code, s)
        accept_old_names(self, squeeze="bottleneck")

    def forward(self, images: Tensor, caption: Tensor) -> Reconstruction:
        """Reconstruct images from their code and, where configured, their caption.

        Args:
            images: `(N, 3, size, size)`, -1 to 1.
            caption: `(N, caption_dim)`.
        """
        code: Tensor = self.bottleneck(self.encoder(images))
        inputs = code if self.caption is None else torch.cat([code, self.caption(caption)], dim=1)
        return Reconstruction(self.decoder(inputs), code)
