"""Smoothness of a path of pictures: its length, and how even its steps are."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

MEANINGS = {
    "path": "the way from picture to picture, summed; the mean over the paths",
    "straight": "the way between a path's two ends alone",
    "largest_over_mean": (
        "a path's largest step over its mean step, the mean over the paths; 1 is perfectly even"
    ),
    "contrast": (
        "standard deviation of the values of a path's middle picture over the mean of its two"
        " ends', the mean over the paths; below 1 the way leads through flatter pictures"
    ),
}


def evenness(points: Tensor, distance: Callable[[Tensor, Tensor], Tensor]) -> dict[str, Any]:
    """Measure paths.

    Args:
        points: `(N, T, …)`, T points on each of N paths, two at least.
        distance: of M points to M others, `(M,)`.

    Returns:
        `path`, `straight` and `largest_over_mean`, which is None where no path moves at all.
    """
    steps = distance(points[:, :-1].flatten(0, 1), points[:, 1:].flatten(0, 1))
    steps = torch.unflatten(steps.double(), 0, (len(points), -1))
    moving = steps[steps.sum(1) > 0]
    ratio = float((moving.amax(1) / moving.mean(1)).mean()) if len(moving) else None
    return {
        "path": float(steps.sum(1).mean()),
        "straight": float(distance(points[:, 0], points[:, -1]).double().mean()),
        "largest_over_mean": ratio,
    }


def levels(first: Tensor, second: Tensor) -> Tensor:
    """Mean absolute difference of pictures `(M, …)` in 8-bit levels, `(M,)`."""
    return (first.float() - second.float()).abs().flatten(1).mean(1)


def euclidean(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distance of vectors `(M, D)`, `(M,)`."""
    distance: Tensor = (first - second).norm(dim=1)
    return distance


def contrast(pictures: Tensor) -> float | None:
    """Return how contrasted the middles of paths `(N, T, 3, H, W)` are, relative to their ends."""
    spread = pictures.double().flatten(2).std(2)
    ends = (spread[:, 0] + spread[:, -1]) / 2
    seen = ends > 0
    middle = spread[:, pictures.shape[1] // 2]
    return float((middle[seen] / ends[seen]).mean()) if seen.any() else None
