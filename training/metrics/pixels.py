"""Metrics of one fill beside the real centre: PSNR, L1 and SSIM of the hole.

Fills and centres are uint8 tensors `(N, 3, 32, 32)`: users get 8-bit images, so those are measured.
torchmetrics is not used: its PSNR of an identical fill is infinite, and its SSIM differs from
scikit-image's from the third digit on.
"""

from __future__ import annotations

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from models.geometry import HOLE

MAX_LEVEL = 255.0
MIN_MSE = 1.0 / (3 * HOLE * HOLE)


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
    pairs = zip(fills.numpy(), real.numpy(), strict=True)
    return torch.tensor([_ssim(fill, truth) for fill, truth in pairs], dtype=torch.float64)


def _ssim(fill: np.ndarray, truth: np.ndarray) -> float:
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            fill,
            truth,
            channel_axis=0,
            data_range=MAX_LEVEL,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )
