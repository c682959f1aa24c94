"""Metrics of the border between hole and context: the seam ratio and the square ratio.

Images are uint8 tensors `(N, 3, 64, 64)`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.geometry import CENTRE, EDGE, HOLE

STRIP_DEPTH = 4  # pixels; deep enough to average texture away, shallow enough to stay local


def seam_gradient(images: Tensor) -> float:
    """Mean absolute step across the border of the hole, in 8-bit levels.

    Args:
        images: uint8 `(N, 3, 64, 64)`; the mean is over images, channels and 4×32 pixel pairs.
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

    Returns:
        The ratio; `None` where every real image is flat across the border.
    """
    reference = seam_gradient(real)
    return seam_gradient(composites) / reference if reference > 0 else None


def square_gradient(images: Tensor) -> float:
    """Mean absolute difference in mean colour across the sides of the hole, in 8-bit levels.

    Args:
        images: uint8 `(N, 3, 64, 64)`; the mean is over images, channels and the 4 sides, each
            with a strip of 32×4 pixels inside and one outside.
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


def square_ratio(composites: Tensor, real: Tensor) -> float | None:
    """Square gradient of the composites divided by that of the real images; 1 is as real.

    Above 1 is the square artefact: a hole that is off in brightness or colour. Grain raises the
    seam ratio, but not this one.

    Returns:
        The ratio; `None` where the colour of no real image changes across the border.
    """
    reference = square_gradient(real)
    return square_gradient(composites) / reference if reference > 0 else None
