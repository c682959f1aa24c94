"""What is measured of a fill: per-picture errors, the seam, and KID over a set of pictures.

Fills and real centres are uint8 tensors `(N, 3, 32, 32)`, composites and real pictures uint8
`(N, 3, 64, 64)`: what a user gets is 8-bit, so that is what is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from models.geometry import CENTRE, EDGE, HOLE

WHITE = 255.0
LEAST_MSE = 1.0 / (3 * HOLE * HOLE)
KID_SUBSETS = 50
RESAMPLED_AT_ONCE = 1_000_000  # values
KID_SUBSET_SIZE = 250
SQUARE_DEPTH = 4  # pixels; deep enough to average texture away, shallow enough to stay local
KID_LEAST = 4  # pictures: the unbiased estimator needs two a side, of different photographs

DEFINITIONS = {
    "dataset mean centre": (
        "the mean of the evaluated pictures' own centres: the best single fill there can be for "
        "the squared error, which flatters it"
    ),
    "hole_psnr": (
        "PSNR in dB on 8-bit values over the 32×32×3 of the hole alone (peak 255), the mean of "
        "per-image dB; an identical fill counts as one value one level off, the least error "
        "there is, which is 83.0 dB"
    ),
    "l1": "mean absolute difference over the hole, in 8-bit levels (0 to 255)",
    "ssim": (
        "structural similarity of the hole (Wang et al. 2004): 11×11 Gaussian window, σ 1.5, "
        "K1 0.01, K2 0.03, the mean over the channels and over the places where the window "
        "lies inside the hole"
    ),
    "seam_ratio": (
        "mean absolute difference between each pixel just inside the hole's border and its "
        "neighbour just outside (4 sides × 32 pairs × 3 channels, all pictures), divided by the "
        "same mean in the real pictures; 1 is real, above 1 a visible seam, below 1 too smooth"
    ),
    "kid": (
        "unbiased MMD² with the kernel (x·y/d + 1)³ (Bińkowski et al. 2018) between the "
        "composites' features and the real pictures', each subset taking its composites and its "
        "real pictures from different photographs; mean and standard deviation over the subsets"
    ),
    "milliseconds": (
        "median wall time of one image at a time, the caption already embedded, the model loaded"
    ),
}


def hole_psnr(fills: Tensor, real: Tensor) -> Tensor:
    """PSNR of each fill in dB, `(N,)` float64; an identical fill scores 83.0 dB.

    The mean squared error is floored at that of one value one level off, so that a picture that
    is met exactly does not make the mean over the pictures infinite.
    """
    squared = (fills.double() - real.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(WHITE**2 / squared.clamp_min(LEAST_MSE))


def l1_levels(fills: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of each fill in 8-bit levels, `(N,)` float64."""
    return (fills.double() - real.double()).abs().flatten(1).mean(1)


def hole_ssim(fills: Tensor, real: Tensor) -> Tensor:
    """SSIM of each fill, `(N,)` float64 in [-1, 1], windowed as in Wang et al. 2004."""
    pairs = zip(fills.numpy(), real.numpy(), strict=True)
    return torch.tensor([_ssim(fill, truth) for fill, truth in pairs], dtype=torch.float64)


def _ssim(fill: np.ndarray, truth: np.ndarray) -> float:
    return float(
        structural_similarity(
            fill,
            truth,
            channel_axis=0,
            data_range=WHITE,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def seam_gradient(pixels: Tensor) -> float:
    """Mean absolute step across the border of the hole, in 8-bit levels.

    Args:
        pixels: uint8 `(N, 3, 64, 64)`; the mean is over pictures, channels and 4×32 pairs.
    """
    first, last = EDGE, EDGE + HOLE - 1
    values = pixels.double()
    steps = [
        values[:, :, first, CENTRE] - values[:, :, first - 1, CENTRE],
        values[:, :, last, CENTRE] - values[:, :, last + 1, CENTRE],
        values[:, :, CENTRE, first] - values[:, :, CENTRE, first - 1],
        values[:, :, CENTRE, last] - values[:, :, CENTRE, last + 1],
    ]
    return float(torch.stack(steps).abs().mean())


def seam_ratio(composites: Tensor, real: Tensor) -> float | None:
    """The seam gradient of the composites over that of the real pictures; 1 is as real.

    A ratio of means, not a mean of ratios: a picture with a flat border would divide by zero.
    `None` where every real picture is flat across the border.
    """
    reference = seam_gradient(real)
    return seam_gradient(composites) / reference if reference > 0 else None


def square_gradient(pixels: Tensor) -> float:
    """Mean absolute difference in mean colour across the sides of the hole, in 8-bit levels.

    Args:
        pixels: uint8 `(N, 3, 64, 64)`; the mean is over pictures, channels and the 4 sides, each
            with a strip of 32×4 pixels inside and one outside.
    """
    values, depth = pixels.double(), SQUARE_DEPTH
    offsets = []
    for turned in (values, values.mT):
        strips = turned[:, :, :, CENTRE]
        for border in (EDGE, EDGE + HOLE):
            below = strips[:, :, border : border + depth].mean((2, 3))
            above = strips[:, :, border - depth : border].mean((2, 3))
            offsets.append(below - above)
    return float(torch.stack(offsets).abs().mean())


def square_ratio(composites: Tensor, real: Tensor) -> float | None:
    """The square gradient of the composites over that of the real pictures; 1 is as real.

    Above 1 is the square artefact: a hole off in brightness or colour, which grain alone cannot
    raise as it does the seam ratio.
    `None` where the real pictures do not change in colour across the border at all.
    """
    reference = square_gradient(real)
    return square_gradient(composites) / reference if reference > 0 else None


@dataclass(frozen=True)
class Kid:
    """KID: mean and standard deviation of the unbiased MMD² over `subsets` subsets."""

    mean: float
    spread: float
    subset_size: int
    subsets: int


def kid(features: Tensor, reference: Tensor, seed: int = 0, subsets: int = KID_SUBSETS) -> Kid:
    """Kernel Inception Distance (Bińkowski et al. 2018) of composites to the real pictures.

    Row *i* of both belongs to photograph *i*, and a composite shares three quarters of its pixels
    with its original: a subset therefore never sets a photograph against itself, which the
    estimator, made for independent samples, would reward. Subsets depend on `seed` and N alone,
    so every method of a table is measured on the same ones.

    Args:
        features: float `(N, D)` of the composites.
        reference: float `(N, D)` of the real pictures, in the same order; N at least 4.
        seed: of the subsets drawn.
        subsets: how many are drawn, each of `min(250, N // 2)` photographs a side.
    """
    count = len(features)
    size = min(KID_SUBSET_SIZE, count // 2)
    draws = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        order = torch.randperm(count, generator=draws)
        values.append(squared_mmd(features[order[:size]], reference[order[size : 2 * size]]))
    return Kid(float(np.mean(values)), float(np.std(values)), size, subsets)


def squared_mmd(first: Tensor, second: Tensor) -> float:
    """Unbiased squared MMD of two samples `(M, D)`, M at least 2, cubic polynomial kernel."""
    count = len(first)
    within = sum(_off_diagonal_sum(sample) for sample in (first, second))
    across = float(_kernel(first, second).double().mean())
    return within / (count * (count - 1)) - 2 * across


def _off_diagonal_sum(sample: Tensor) -> float:
    kernel = _kernel(sample, sample).double()
    return float(kernel.sum() - kernel.diagonal().sum())


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1) ** 3


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95% interval."""

    mean: float
    low: float
    high: float


def bootstrap_interval(values: Tensor, seed: int = 0, resamples: int = 2000) -> Interval:
    """Mean of `values` `(N,)` and the 95% percentile-bootstrap interval of that mean."""
    sample = values.double().numpy()
    draws = np.random.default_rng(seed)
    # Many at a time, for speed, but never more than some megabytes.
    parts = np.array_split(np.arange(resamples), 1 + resamples * len(sample) // RESAMPLED_AT_ONCE)
    means = [draws.choice(sample, size=(len(part), len(sample))).mean(1) for part in parts]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return Interval(float(sample.mean()), float(low), float(high))
