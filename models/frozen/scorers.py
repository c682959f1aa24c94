"""Scorers: how well a picture's centre fits a caption, `scorer(centres, caption) -> score`."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from models.errors import ModelsError
from models.registry import Builder, builder


class ScorerError(ModelsError):
    """A bundle has no scorer."""


@dataclass(frozen=True)
class ScorerSettings:
    """Sizes of the plain convolutional scorer.

    Attributes:
        caption_dim: length of a caption vector.
        width: channels after the first convolution; every other size follows from it.
        code: length of the vectors that are compared.
    """

    caption_dim: int = 384
    width: int = 48
    code: int = 128


class Scorer(nn.Module):
    """Two towers that meet in one space: the cosine of a centre's code and a caption's.

    Trained by the symmetric contrastive loss of Radford et al. 2021, "Learning transferable
    visual models from natural language supervision" (CLIP), §2.3, on the vectors of a frozen
    sentence encoder: `training.scorers.train`.

    Args:
        pictures: `(N, 3, 32, 32)`, -1 to 1, to `(N, features)`.
        features: how many.
        caption_dim: length of a caption vector.
        code: length of the vectors that are compared.
    """

    def __init__(self, pictures: nn.Module, features: int, caption_dim: int, code: int) -> None:
        super().__init__()
        self.pictures = pictures
        self.see = nn.Linear(features, code)
        self.read = nn.Sequential(
            nn.Linear(caption_dim, 2 * code),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(2 * code, code),
        )

    def encode_images(self, centres: Tensor) -> Tensor:
        """Turn centres `(N, 3, 32, 32)`, -1 to 1, into codes `(N, code)` of length 1."""
        return normalize(self.see(self.pictures(centres)), dim=1)

    def encode_captions(self, caption: Tensor) -> Tensor:
        """Turn caption vectors `(N, caption_dim)` into codes `(N, code)` of length 1."""
        return normalize(self.read(caption), dim=1)

    def forward(self, centres: Tensor, caption: Tensor) -> Tensor:
        """Score each centre under its caption, `(N,)`, -1 to 1; higher fits better."""
        return cosine_similarity(self.encode_images(centres), self.encode_captions(caption))


def plain_scorer(settings: ScorerSettings) -> Scorer:
    """Build the scorer that a bundle carries: 0.9 M parameters, no pretrained part."""
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
    pictures = nn.Sequential(*levels, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Scorer(pictures, 4 * w, settings.caption_dim, settings.code)


# A bundle names its scorer, as it names its generator.
SCORERS: dict[str, Builder] = {"plain": builder(plain_scorer, ScorerSettings)}
