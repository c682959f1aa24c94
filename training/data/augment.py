"""Augmentations: what is drawn for a whole batch, and doing it to any of its pictures."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from models.geometry import SIZE, hole_mask

# A mirrored picture makes these words false.
SIDED = re.compile(r"\b(left|right)(hand)?\b", re.IGNORECASE)


def coins(count: int, rng: torch.Generator) -> Tensor:
    """Draw yes or no, bool `(count,)`."""
    return torch.rand(count, generator=rng) < 0.5


def turns(count: int, share: float, degrees: float, rng: torch.Generator) -> Tensor:
    """Draw angles in radians, `(count,)`, up to `degrees` either way; 0 but for a `share`."""
    angles = (torch.rand(count, generator=rng) * 2 - 1) * torch.deg2rad(torch.tensor(degrees))
    chosen = torch.rand(count, generator=rng) < share
    return torch.where(chosen, angles, 0.0)


def crop(pixels: Tensor, corner: Tensor, size: int = SIZE) -> Tensor:
    """Cut a window of side `size` out of each `(N, 3, S, S)`, S ≥ `size`, at its corner."""
    if pixels.shape[-1] == size:
        return pixels
    places = zip(pixels, corner.tolist(), strict=True)
    return torch.stack([p[:, y : y + size, x : x + size] for p, (y, x) in places])


def centre_crop(pixels: Tensor, size: int = SIZE) -> Tensor:
    """Cut the central window of side `size` out of `(N, 3, S, S)`, S ≥ `size`."""
    start = (pixels.shape[-1] - size) // 2
    return pixels[:, :, start : start + size, start : start + size]


def mirror(pixels: Tensor, captions: Sequence[str], chosen: Tensor) -> Tensor:
    """Mirror the chosen pictures, bool `(N,)`, but none whose caption speaks of left or right."""
    sided = torch.tensor([bool(SIDED.search(c)) for c in captions])
    return torch.where((chosen & ~sided)[:, None, None, None], pixels.flip(3), pixels)


def turn(images: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
    """Turn some pictures by a small angle, each together with its hole.

    The picture shrinks by `cos θ + sin |θ|` as it turns, so that the turned hole still lies within
    the central 32×32 that a generator can write; what comes in at the border is mirrored.

    Args:
        images: float `(N, 3, 64, 64)`.
        angles: in radians, `(N,)`; 0 leaves a picture upright.

    Returns:
        Images and masks `(N, 1, 64, 64)`; those not turned are untouched, to the bit.
    """
    chosen = angles != 0
    masks = hole_mask(len(images))
    if not chosen.any():
        return images, masks
    cos, sin = angles[chosen].cos(), angles[chosen].sin()
    zoom = cos + sin.abs()
    rows = torch.stack([cos * zoom, -sin * zoom, sin * zoom, cos * zoom], dim=1).view(-1, 2, 2)
    matrix = torch.cat([rows, torch.zeros(len(rows), 2, 1)], dim=2)
    grid = affine_grid(matrix, [len(rows), 3, SIZE, SIZE], align_corners=False)
    turned = grid_sample(images[chosen], grid, padding_mode="reflection", align_corners=False)
    holes = grid_sample(masks[chosen], grid, mode="nearest", align_corners=False)
    images, masks = images.clone(), masks.clone()
    images[chosen], masks[chosen] = turned, holes
    return images, masks
