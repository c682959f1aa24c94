"""The flagship's discriminator: heads on frozen pretrained features and on the pixels."""

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
from models.layers.renamed import accept_old_names

# Scale of caption vectors, which have length 1 and are close to each other: layers with spectral
# norm cannot amplify their differences.
CAPTION_GAIN = 5.0


class CaptionLengthError(ModelsError, ValueError):
    """Caption vectors have another length than a frozen network was trained on."""


@dataclass(frozen=True)
class ProjectedSettings:
    """Sizes of the discriminator and of its input.

    Attributes:
        caption_dim: length of a caption vector.
        window: side of the central window that is scored: the hole and its surroundings.
        resolution: side the window is resized to for the pretrained features; a multiple of 16.
        width: channels of each head.
        patch_width: channels after the pixel head's first convolution.
        caption_head: add a head on the codes of the frozen caption scorer, which was trained on
            caption vectors of length 384.
    """

    caption_dim: int = CAPTION_DIM
    window: int = 48
    resolution: int = 80
    width: int = 128
    patch_width: int = 32
    caption_head: bool = False

    def __post_init__(self) -> None:
        if self.caption_head and self.caption_dim != CAPTION_DIM:
            raise CaptionLengthError(
                f"discriminator.settings.caption_head needs caption vectors of {CAPTION_DIM} "
                f"numbers; these have {self.caption_dim}"
            )


class FrozenFeatures(NamedTuple):
    """Frozen features of images, extracted once for discriminator and generator.

    Attributes:
        window: crop of the images, `(N, 3, W, W)`, -1 to 1.
        stages: of the pretrained network at strides 4, 8 and 16, each `(N, C, H, W)`.
        code: image code of the caption scorer, `(N, 128)` of length 1; `(N, 0)` without a caption
            head.
    """

    window: Tensor
    stages: tuple[Tensor, ...]
    code: Tensor

    def detach(self) -> FrozenFeatures:
        """Return the same without a gradient."""
        stages = tuple(stage.detach() for stage in self.stages)
        return FrozenFeatures(self.window.detach(), stages, self.code.detach())


class Head(nn.Module):
    """Score every position of a feature map: higher for more real and for a better caption match.

    The caption enters by projection (Miyato & Koyama 2018, "cGANs with projection discriminator",
    eq. 4); the zero vector for "no caption" adds nothing. All layers are spectrally normalised
    (Miyato et al. 2018).
    """

    def __init__(self, trunk: list[nn.Conv2d], caption_dim: int) -> None:
        super().__init__()
        layers = [layer for conv in trunk for layer in (spectral_norm(conv), nn.LeakyReLU(0.2))]
        width = trunk[-1].out_channels
        self.trunk = nn.Sequential(*layers)
        self.score = spectral_norm(nn.Conv2d(width, 1, 1))
        self.caption = spectral_norm(nn.Linear(caption_dim, width, bias=False))

    def forward(self, x: Tensor, captions: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Score a map `(N, C, H, W)` under each caption, `(N, caption_dim)`: `(N, H × W)` each."""
        trunk = self.trunk(x)
        plain = self.score(trunk).flatten(1)
        captions = tuple(caption * CAPTION_GAIN for caption in captions)
        pooled = avg_pool2d(trunk, trunk.shape[-1]).flatten(1)  # its gradient keeps the layout
        return tuple(plain + (self.caption(c) * pooled).sum(1, keepdim=True) for c in captions)


class CaptionHead(nn.Module):
    """Score the agreement of an image code with a caption, both by the frozen caption scorer.

    The scorer knows captions from the first step, but a generator can fool it by patterns that
    people do not see. The head learns from fills, and from real images with matching and
    mismatched captions, how far to trust the scorer.
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
            has_caption = (caption.abs().sum(1, keepdim=True) > 0).to(code.dtype)
            agreement = code * scorer.encode_captions(caption) * has_caption
            # Scaled to numbers of about 1: codes have length 1, their products are smaller.
            pair = torch.cat([agreement * CODE_DIM, code * CODE_DIM**0.5], dim=1)
            scores.append(self.layers(pair))
        return tuple(scores)


class ProjectedDiscriminator(nn.Module):
    """Sauer et al. 2021, "Projected GANs converge faster", §3, on EfficientNet-Lite0.

    The pretrained network is not part of the state: it never changes. Heads on three of its stages
    read the features directly, without the paper's random mixing. A head on the pixels (Isola et
    al. 2017, §2.2.2, PatchGAN) covers the seam and the finest texture.
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
        self.caption_head = CaptionHead(w) if s.caption_head else None
        accept_old_names(self, meaning="caption_head")

    @property
    def window_start(self) -> int:
        """First row and column of the central window."""
        return (SIZE - self.settings.window) // 2

    def extract_features(
        self,
        images: Tensor,
        corner: tuple[int, int] | None = None,
        resolution: int | None = None,
        noise: Tensor | None = None,
    ) -> FrozenFeatures:
        """Extract frozen features of a window of images `(N, 3, 64, 64)`, -1 to 1.

        Args:
            images: real ones or composites.
            corner: first row and column of the window; the central window by default.
            resolution: side the window is resized to, a multiple of 16; the settings' by default.
            noise: `(N, 3, window, window)`, added to the pretrained network's input.
        """
        s = self.settings
        top, left = corner or (self.window_start, self.window_start)
        window = images[:, :, top : top + s.window, left : left + s.window].float()
        noisy = window if noise is None else window + noise
        stages = extract_features(noisy, resolution or s.resolution)
        code = window.new_empty(len(window), 0)
        if self.caption_head is not None:
            kind = "cpu" if images.is_meta else images.device.type  # meta has no autocast
            with torch.autocast(kind, enabled=False):
                scorer = load_caption_scorer(str(images.device))
                code = scorer.encode_images(scorer_input(window, stages))
        return FrozenFeatures(window, stages, code)

    def scores(self, features: FrozenFeatures, *captions: Tensor) -> tuple[list[Tensor], ...]:
        """Score N images under captions, `(N, caption_dim)` each, from their features.

        Returns:
            For each of the captions, the scores of every head, `(N, positions)`.
        """
        maps = [*features.stages, features.window]
        by_head = [head(x, captions) for head, x in zip(self.heads, maps, strict=True)]
        if self.caption_head is not None:
            by_head.append(self.caption_head(features.code, captions))
        return tuple([scores[i] for scores in by_head] for i in range(len(captions)))

    def forward(self, images: Tensor, caption: Tensor) -> Logits:
        """Score composites `(N, 3, 64, 64)` under captions `(N, caption_dim)`."""
        features = self.extract_features(images)
        (scores,) = self.scores(features, caption)
        score = torch.stack([one.float().mean(1) for one in scores]).mean(0)
        return Logits(score, features.stages)
