"""Metrics of pixels: PSNR, L1 and SSIM of fills, and the border between hole and context.

Fills and centres are uint8 tensors `(N, 3, 32, 32)`, images `(N, 3, 64, 64)`: users get 8-bit
images, so those are measured.
torchmetrics is not used: its PSNR of an identical fill is infinite, and its SSIM differs from
scikit-image's from the third digit on.
"""

from __future__ import annotations

import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from models.geometry import CENTRE, EDGE, HOLE

MAX_LEVEL = 255.0
MIN_MSE = 1.0 / (3 * HOLE * HOLE)
STRIP_DEPTH = 4  # pixels; deep enough to average texture away, shallow enough to stay local


def hole_psnr(fills: Tensor, real: Tensor) -> Tensor:
    """PSNR of each fill in dB, `(N,)` float64; an identical fill scores 83.0 dB.

    The mean squared error has a lower limit, that of one value one level off. Without it, one
    identical fill would make the mean over the images infinite.
    """
    mse = (fills.double() - real.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(MAX_LEVEL**2 / mse.clamp_min(MIN_MSE))


def l1_levels(fills: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of each fill in 8-bit levels, `(N,)` float64."""
    return (fills.double() - real.double()).abs().flatten(1).mean(1)


def hole_ssim(fills: Tensor, real: Tensor) -> Tensor:
    """SSIM of each fill (Wang et al. 2004), `(N,)` float64 in [-1, 1]."""
    values = [
        structural_similarity(  # type: ignore[no-untyped-call]
            fill,
            truth,
            channel_axis=0,
            data_range=MAX_LEVEL,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for fill, truth in zip(fills.numpy(), real.numpy(), strict=True)
    ]
    return torch.tensor(values, dtype=torch.float64)


def seam_gradient(images: Tensor) -> float:
    """Mean absolute step across the border of the hole, in 8-bit levels.

    The mean over images `(N, 3, 64, 64)`, channels and 4×32 pairs of pixels.
    """
    first, last = EDGE, EDGE + HOLE - 1
    values = images.double()
    steps = [
        values[:, :, first, CENTRE] - values[:, :, first - 1, CENTRE],
        values[:, :, last, CENTRE] - values[:, :, last + 1, CENTRE],
        values[:, :, CENTRE, first] - values[:, :, CENTRE, first - 1],
        values[:, :, CENTRE, last] - values[:, :, CENTRE, last + 1],
    ]
    return float(torch.stack(steps).abs().mean())


def seam_ratio(composites: Tensor, real: Tensor) -> float | None:
    """Seam gradient of the composites divided by that of the real images; 1 is as real.

    A ratio of means, not a mean of ratios: one image with a flat border would divide by zero.
    `None` where every real image is flat across the border.
    """
    reference = seam_gradient(real)
    return seam_gradient(composites) / reference if reference > 0 else None


def square_gradient(images: Tensor) -> float:
    """Mean absolute difference in mean colour across the sides of the hole, in 8-bit levels.

    The mean over images `(N, 3, 64, 64)`, channels and the 4 sides, each with a strip of 32×4
    pixels inside and one outside. A hole that is off in brightness or colour, the square artefact,
    raises it; grain raises the seam gradient alone.
    """
    values, depth = images.double(), STRIP_DEPTH
    offsets = []
    for oriented in (values, values.mT):
        strips = oriented[:, :, :, CENTRE]
        for border in (EDGE, EDGE + HOLE):
            below = strips[:, :, border : border + depth].mean((2, 3))
            above = strips[:, :, border - depth : border].mean((2, 3))
            offsets.append(below - above)
    return float(torch.stack(offsets).abs().mean())
