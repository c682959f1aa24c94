"""Paths between latents, and the smoothness of the paths of pictures that they lead to."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from models.layers.generator_io import from_normal, to_normal

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


def linear(start: Tensor, end: Tensor, along: Tensor, kind: str = "normal") -> Tensor:
    """Go in straight lines through the space the network sees, which `from_normal` makes of noise.

    Args:
        start: `(N, D)`, standard normal.
        end: `(N, D)`, standard normal.
        along: `(T,)`, 0 at the start to 1 at the end.
        kind: of the noise the network was trained with.

    Returns:
        `(N, T, D)`, as a generator takes it.
    """
    first, last = from_normal(start, kind)[:, None], from_normal(end, kind)[:, None]
    return to_normal(torch.lerp(first, last, along[None, :, None]), kind)


def spherical(start: Tensor, end: Tensor, along: Tensor) -> Tensor:
    """Go along great arcs: the direction turns evenly, the norm goes evenly from one to the other.

    Noise of many dimensions lies near a sphere, and a straight line leaves it (White 2016,
    "Sampling Generative Networks", §2.1). Shapes as in `linear`.
    """
    first, second = normalize(start, dim=1), normalize(end, dim=1)
    shared = (first * second).sum(1, keepdim=True)
    aside = second - shared * first
    # atan2 and not acos, which loses half its digits where the two directions are close.
    angle = torch.atan2(aside.norm(dim=1, keepdim=True), shared)
    turn = (along * angle)[:, :, None]
    direction = turn.cos() * first[:, None] + turn.sin() * normalize(aside, dim=1)[:, None]
    norms = torch.lerp(start.norm(dim=1)[:, None], end.norm(dim=1)[:, None], along)
    return direction * norms[:, :, None]


def surface(corners: Tensor, along: Tensor) -> Tensor:
    """Go along great arcs between four latents, to `(T, T, D)`.

    `corners` `(4, D)` are upper left, upper right, lower left, lower right.
    """
    left, right = spherical(corners[:2], corners[2:], along)
    return spherical(left, right, along)


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
    return {
        "path": float(steps.sum(1).mean()),
        "straight": float(distance(points[:, 0], points[:, -1]).double().mean()),
        "largest_over_mean": (
            float((moving.amax(1) / moving.mean(1)).mean()) if len(moving) else None
        ),
    }


def levels(first: Tensor, second: Tensor) -> Tensor:
    """Mean absolute difference of pictures `(M, …)` in 8-bit levels, `(M,)`."""
    return (first.float() - second.float()).abs().flatten(1).mean(1)


def contrast(pictures: Tensor) -> float | None:
    """Return how contrasted the middles of paths `(N, T, 3, H, W)` are, relative to their ends."""
    spread = pictures.double().flatten(2).std(2)
    ends = (spread[:, 0] + spread[:, -1]) / 2
    seen = ends > 0
    middle = spread[:, pictures.shape[1] // 2]
    return float((middle[seen] / ends[seen]).mean()) if seen.any() else None
