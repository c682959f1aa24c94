"""Scorers of how well an image's centre fits a caption: `scorer(centres, caption) -> score`."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from models.layers.renamed import accept_old_names
from models.registry import Builder, builder


@dataclass(frozen=True)
class ScorerSettings:
    """Sizes of the plain convolutional scorer.

    Attributes:
        caption_dim: length of a caption vector.
        width: channels after the first convolution; every other size follows from it.
        code: length of the codes.
    """

    caption_dim: int = 384
    width: int = 48
    code: int = 128


class Scorer(nn.Module):
    """A dual encoder: the score is the cosine of an image code and a caption code.

    Trained by the symmetric contrastive loss of Radford et al. 2021, "Learning transferable
    visual models from natural language supervision" (CLIP), §2.3, on the vectors of a frozen
    sentence encoder: `training.evaluation.scorers.train`. The image encoder maps
    `(N, 3, 32, 32)`, -1 to 1, to `(N, features)`.
    """

    def __init__(
        self, image_encoder: nn.Module, features: int, caption_dim: int, code: int
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.image_projection = nn.Linear(features, code)
        self.caption_projection = nn.Sequential(
            nn.Linear(caption_dim, 2 * code),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(2 * code, code),
        )
        names = {"pictures": "image_encoder", "see": "image_projection"}
        accept_old_names(self, **names, read="caption_projection")

    def encode_images(self, centres: Tensor) -> Tensor:
        """Encode centres `(N, 3, 32, 32)`, -1 to 1, to codes `(N, code)` of length 1."""
        return normalize(self.image_projection(self.image_encoder(centres)), dim=1)

    def encode_captions(self, caption: Tensor) -> Tensor:
        """Encode caption vectors `(N, caption_dim)` to codes `(N, code)` of length 1."""
        return normalize(self.caption_projection(caption), dim=1)

    def forward(self, centres: Tensor, caption: Tensor) -> Tensor:
        """Score each centre under its caption, `(N,)`, -1 to 1; higher is a better match."""
        return cosine_similarity(self.encode_images(centres), self.encode_captions(caption))


def plain_scorer(settings: ScorerSettings) -> Scorer:
    """Build the scorer of bundles: 0.9 M parameters, no pretrained part."""
    w = settings.width
    levels = [
        nn.Sequential(
            nn.Conv2d(i, o, 3, stride=s, padding=1, bias=False),
            nn.BatchNorm2d(o),
            nn.LeakyReLU(0.2, inplace=True),
        )
        for i, o, s in (
            (3, w, 1),
            (w, 2 * w, 2),  # 16
            (2 * w, 2 * w, 1),
            (2 * w, 4 * w, 2),  # 8
            (4 * w, 4 * w, 2),  # 4
        )
    ]
    image_encoder = nn.Sequential(*levels, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Scorer(image_encoder, 4 * w, settings.caption_dim, settings.code)


SCORERS: dict[str, Builder] = {"plain": builder(plain_scorer, ScorerSettings)}
