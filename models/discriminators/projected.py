"""The flagship's discriminator: heads on frozen pretrained features, and one on the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.nn.utils.parametrizations import spectral_norm

from models.discriminator_outputs import Logits
from models.errors import ModelsError
from models.frozen.caption_scorer import CAPTION_DIM, CODE_DIM, load_caption_scorer, scorer_input
from models.frozen.efficientnet import CHANNELS, extract_features
from models.geometry import SIZE

# Captions are of length 1 and all rather near each other; so much longer they can be told apart
# by layers that lengthen nothing.
CAPTION_GAIN = 5.0


class CaptionLengthError(ModelsError, ValueError):
    """Caption vectors are not of the length that a frozen network was trained on."""


@dataclass(frozen=True)
class ProjectedSettings:
    """Sizes, and what is looked at.

    Attributes:
        caption_dim: length of a caption vector.
        window: side of the middle that is judged: the hole and what surrounds it.
        resolution: side that the window is scaled to for the pretrained features; a multiple of 16.
        width: channels of each head.
        patch_width: channels after the pixel head's first convolution.
        meaning: whether one more head reads pictures and captions as the frozen steering scorer
            does; it was trained on captions of 384 numbers.
    """

    caption_dim: int = CAPTION_DIM
    window: int = 48
    resolution: int = 80
    width: int = 128
    patch_width: int = 32
    meaning: bool = False

    def __post_init__(self) -> None:
        if self.meaning and self.caption_dim != CAPTION_DIM:
            raise CaptionLengthError(
                f"discriminator.settings.meaning needs caption vectors of {CAPTION_DIM} numbers; "
                f"these have {self.caption_dim}"
            )


class FrozenFeatures(NamedTuple):
    """What is seen of pictures before anything that is learnt; made once for both players.

    Attributes:
        window: the middle of the pictures, `(N, 3, W, W)`, -1 to 1.
        features: of the pretrained network at strides 4, 8 and 16, each `(N, C, H, W)`.
        code: what the steering scorer makes of them, `(N, 128)` of length 1; empty, `(N, 0)`,
            where nobody asks.
    """

    window: Tensor
    features: tuple[Tensor, ...]
    code: Tensor

    def detach(self) -> FrozenFeatures:
        """Return the same without a gradient."""
        features = tuple(f.detach() for f in self.features)
        return FrozenFeatures(self.window.detach(), features, self.code.detach())


class Head(nn.Module):
    """Scores every place of a map, each the higher the better the picture fits the caption.

    The caption's part is a projection (Miyato & Koyama 2018, "cGANs with projection
    discriminator", eq. 4); a zero vector for "no caption" takes none. All layers are spectrally
    normalised (Miyato et al. 2018).
    """

    def __init__(self, trunk: list[nn.Conv2d], caption_dim: int) -> None:
        super().__init__()
        layers = [layer for conv in trunk for layer in (spectral_norm(conv), nn.LeakyReLU(0.2))]
        width = trunk[-1].out_channels
        self.trunk = nn.Sequential(*layers)
        self.score = spectral_norm(nn.Conv2d(width, 1, 1))
        self.caption = spectral_norm(nn.Linear(caption_dim, width, bias=False))

    def forward(self, seen: Tensor, captions: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Score a map `(N, C, H, W)` under each caption, `(N, caption_dim)`: `(N, H × W)` each."""
        trunk = self.trunk(seen)
        plain = self.score(trunk).flatten(1)
        captions = tuple(caption * CAPTION_GAIN for caption in captions)
        pooled = avg_pool2d(trunk, trunk.shape[-1]).flatten(1)  # its gradient keeps the layout
        return tuple(plain + (self.caption(c) * pooled).sum(1, keepdim=True) for c in captions)


class CaptionHead(nn.Module):
    """Scores how a picture's code goes with a caption's, both of the frozen steering scorer.

    That one knows captions from the first step, but can be fooled by patterns that nobody else
    sees; this head learns what of its agreement is worth believing, from fills as well as from
    real pictures with right and wrong captions.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Linear(2 * CODE_DIM, width)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Linear(width, 1)),
        )

    def forward(self, code: Tensor, captions: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Score codes `(N, 128)` under each caption, `(N, 384)`: `(N, 1)` each."""
        scorer = load_caption_scorer(str(code.device))
        scores = []
        for caption in captions:
            told = (caption.abs().sum(1, keepdim=True) > 0).to(code.dtype)
            agreement = code * scorer.encode_captions(caption) * told
            # Both brought to numbers of about 1: codes are of length 1, their products smaller.
            pair = torch.cat([agreement * CODE_DIM, code * CODE_DIM**0.5], dim=1)
            scores.append(self.layers(pair))
        return tuple(scores)


class ProjectedDiscriminator(nn.Module):
    """Sauer et al. 2021, "Projected GANs converge faster", §3, on EfficientNet-Lite0.

    The pretrained network is no part of this one's state: it never changes. The heads look at three
    of its stages directly; with so few of them the paper's random mixing is left out. A head
    on the pixels (Isola et al. 2017, §2.2.2, PatchGAN) sees the seam and the finest texture.
    """

    output_type = Logits

    def __init__(self, settings: ProjectedSettings) -> None:
        super().__init__()
        s = self.settings = settings
        w, p = s.width, s.patch_width
        trunks = [
            [nn.Conv2d(channels, w, 3, stride, 1), nn.Conv2d(w, w, 3, padding=1)]
            for channels, stride in zip(CHANNELS, (2, 1, 1), strict=True)
        ]
        pixels = [
            nn.Conv2d(3, p, 4, 2, 1),
            nn.Conv2d(p, 2 * p, 4, 2, 1),
            nn.Conv2d(2 * p, 4 * p, 3, padding=1),
        ]
        self.heads = nn.ModuleList([Head(trunk, s.caption_dim) for trunk in [*trunks, pixels]])
        self.meaning = CaptionHead(w) if s.meaning else None

    @property
    def middle(self) -> int:
        """Where the window begins when it is not moved."""
        return (SIZE - self.settings.window) // 2

    def look(
        self,
        images: Tensor,
        corner: tuple[int, int] | None = None,
        resolution: int | None = None,
        noise: Tensor | None = None,
    ) -> FrozenFeatures:
        """Look at the middle of pictures through the pretrained network.

        Args:
            images: `(N, 3, 64, 64)`, -1 to 1.
            corner: row and column where the window begins; the exact middle by default.
            resolution: side that the window is scaled to, a multiple of 16; the settings' by
                default.
            noise: `(N, 3, window, window)`, added to what the pretrained network sees.
        """
        s = self.settings
        top, left = corner or (self.middle, self.middle)
        window = images[:, :, top : top + s.window, left : left + s.window].float()
        seen = window if noise is None else window + noise
        features = extract_features(seen, resolution or s.resolution)
        code = window.new_empty(len(window), 0)
        if self.meaning is not None:
            kind = "cpu" if images.is_meta else images.device.type  # shapes alone have no autocast
            with torch.autocast(kind, enabled=False):
                scorer = load_caption_scorer(str(images.device))
                code = scorer.encode_images(scorer_input(window, features))
        return FrozenFeatures(window, features, code)

    def scores(self, looked: FrozenFeatures, *captions: Tensor) -> tuple[list[Tensor], ...]:
        """Judge what was looked at.

        Args:
            looked: N pictures.
            captions: `(N, caption_dim)` each.

        Returns:
            For each of the captions, every head's scores `(N, places)`.
        """
        seen_by = zip(self.heads, self.maps(looked), strict=True)
        by_head = [head(seen, captions) for head, seen in seen_by]
        if self.meaning is not None:
            by_head.append(self.meaning(looked.code, captions))
        return tuple([scores[i] for scores in by_head] for i in range(len(captions)))

    def maps(self, looked: FrozenFeatures) -> list[Tensor]:
        """Return what each head looks at, `(N, C, H, W)`."""
        return [*looked.features, looked.window]

    def forward(self, images: Tensor, caption: Tensor) -> Logits:
        """Judge composites `(N, 3, 64, 64)` under captions `(N, caption_dim)`."""
        looked = self.look(images)
        (scores,) = self.scores(looked, caption)
        score = torch.stack([one.float().mean(1) for one in scores]).mean(0)
        return Logits(score, looked.features)
