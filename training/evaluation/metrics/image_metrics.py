"""Metrics of generated images beside real ones: the one way in which this project measures.

Evaluation, experiments and the validation during training all read their figures here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.geometry import centre
from training.evaluation.metrics.kid import KID_MIN_IMAGES, Kid, kid
from training.evaluation.metrics.mobilenet import feature_distance
from training.evaluation.metrics.pixels import hole_psnr, hole_ssim, l1_levels, seam_ratio

ExtractFeatures = Callable[[Tensor], Tensor]
"""Images, uint8 `(N, 3, H, W)`, to their features, float `(N, D)`."""


@dataclass(frozen=True)
class ImageMetrics:
    """N generated images beside the real ones; each metric is computed when it is read.

    Attributes:
        images: uint8 `(N, 3, S, S)`: composites, or whole images of an unconditional system.
        reals: uint8 `(N, 3, S, S)`; composite *i* was made of row *i*.
        features: float `(N, D)` of the images; `None` without a feature network.
        real_features: float `(N, D)` of the real images; `None` without a feature network.
        seed: of KID's subsets.
    """

    images: Tensor
    reals: Tensor
    features: Tensor | None = None
    real_features: Tensor | None = None
    seed: int = 0

    @classmethod
    def extract(
        cls, images: Tensor, reals: Tensor, extractor: ExtractFeatures | None, seed: int = 0
    ) -> ImageMetrics:
        """Extract the features of both sides, if there is an extractor and enough images."""
        if extractor is None or len(reals) < KID_MIN_IMAGES:
            return cls(images, reals, seed=seed)
        return cls(images, reals, extractor(images), extractor(reals), seed)

    @property
    def fills(self) -> Tensor:
        """The generated centres, uint8 `(N, 3, 32, 32)`."""
        return centre(self.images)

    @property
    def centres(self) -> Tensor:
        """The real centres, uint8 `(N, 3, 32, 32)`."""
        return centre(self.reals)

    @property
    def hole_psnr(self) -> Tensor:
        """PSNR of each fill in dB, `(N,)`."""
        return hole_psnr(self.fills, self.centres)

    @property
    def l1(self) -> Tensor:
        """Mean absolute difference of each fill in 8-bit levels, `(N,)`."""
        return l1_levels(self.fills, self.centres)

    @property
    def ssim(self) -> Tensor:
        """SSIM of each fill, `(N,)`."""
        return hole_ssim(self.fills, self.centres)

    @property
    def seam_ratio(self) -> float | None:
        """Seam ratio over all images; `None` where no real image changes across the border."""
        return seam_ratio(self.images, self.reals)

    @property
    def feature_distance(self) -> Tensor | None:
        """Euclidean distance of each image's features to the real ones, `(N,)`."""
        if self.features is None or self.real_features is None:
            return None
        return feature_distance(self.features, self.real_features)

    @property
    def kid(self) -> Kid | None:
        """KID; `None` without features or with fewer than `KID_MIN_IMAGES` images."""
        if self.features is None or self.real_features is None or len(self.reals) < KID_MIN_IMAGES:
            return None
        return kid(self.features, self.real_features, self.seed)


def relative_to_real(metric: Callable[[Tensor], float], images: Tensor, real: Tensor) -> Tensor:
    """Return a metric of each image alone, divided by its mean in the real ones, `(N,)`.

    The mean of the result is the ratio of the two means.
    """
    each = torch.tensor([metric(image) for image in torch.split(images, 1)], dtype=torch.float64)
    return each / max(metric(real), 1e-6)
