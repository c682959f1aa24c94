"""Paths between latents: straight lines, great arcs, and a surface between four."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from models.layers.noise import from_normal, to_normal


def linear(start: Tensor, end: Tensor, along: Tensor) -> Tensor:
    """Go from latents to others in straight lines.

    Args:
        start: `(N, D)`.
        end: `(N, D)`.
        along: `(T,)`, 0 at the start to 1 at the end.

    Returns:
        `(N, T, D)`.
    """
    return torch.lerp(start[:, None], end[:, None], along[None, :, None])


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


def straight(start: Tensor, end: Tensor, along: Tensor, kind: str) -> Tensor:
    """Go in straight lines through the space the network sees, which `from_normal` makes of noise.

    Args:
        start: noise `(N, D)`, standard normal.
        end: the same.
        along: `(T,)`.
        kind: of the noise the network was trained with.

    Returns:
        Noise `(N, T, D)`, as a generator takes it.
    """
    return to_normal(linear(from_normal(start, kind), from_normal(end, kind), along), kind)


def surface(corners: Tensor, along: Tensor) -> Tensor:
    """Go along great arcs between four latents.

    Args:
        corners: `(4, D)`: upper left, upper right, lower left, lower right.
        along: `(T,)`.

    Returns:
        `(T, T, D)`, rows from the upper to the lower two.
    """
    left, right = spherical(corners[:2], corners[2:], along)
    return spherical(left, right, along)
