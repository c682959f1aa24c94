"""A convolutional discriminator that reads the caption."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.discriminator_outputs import Logits
from models.layers.blocks import down_block, init_normal, run_levels
from models.layers.renamed import accept_old_names


@dataclass(frozen=True)
class ConvSettings:
    """Sizes of the convolutional discriminator.

    Attributes:
        caption_dim: length of a caption vector.
        caption_code: channels of the caption code that is concatenated at 4×4.
        width: channels after the first convolution.
        batch_norm: batch norm on all but the first layer (Radford 2015).
    """

    caption_dim: int = 384
    caption_code: int = 128
    width: int = 64
    batch_norm: bool = True


class ConvDiscriminator(nn.Module):
    """DCGAN's discriminator on the composite, with the caption joined at 4×4.

    Radford et al. 2015 for the convolutions; Reed et al. 2016, §4.1, for the caption: projected,
    repeated over the 4×4 grid, concatenated, then a 1×1 convolution over both.
    """

    output_type = Logits

    def __init__(self, settings: ConvSettings) -> None:
        super().__init__()
        self.settings = settings
        w, norm = settings.width, settings.batch_norm
        self.levels = nn.ModuleList(
            [
                down_block(3, w, batch_norm=False),  # 32
                down_block(w, 2 * w, batch_norm=norm),  # 16
                down_block(2 * w, 4 * w, batch_norm=norm),  # 8
                down_block(4 * w, 8 * w, batch_norm=norm),  # 4
            ]
        )
        self.caption = nn.Sequential(
            nn.Linear(settings.caption_dim, settings.caption_code), nn.LeakyReLU(0.2, inplace=True)
        )
        self.classifier = nn.Sequential(
            nn.Conv2d(8 * w + settings.caption_code, 8 * w, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(8 * w, 1, 4),
        )
        self.apply(init_normal)
        accept_old_names(self, judge="classifier")

    def forward(self, images: Tensor, caption: Tensor) -> Logits:
        """Score composites `(N, 3, 64, 64)`, -1 to 1, under captions `(N, caption_dim)`."""
        features = run_levels(self.levels, images)
        return Logits(self.score_features(features[-1], caption), features)

    def score_features(self, features: Tensor, caption: Tensor) -> Tensor:
        """Score images, `(N,)`, from the last of their features; cheap for a second caption."""
        code = self.caption(caption)[:, :, None, None].expand(-1, -1, *features.shape[2:])
        score: Tensor = self.classifier(torch.cat([features, code], dim=1)).flatten()
        return score
