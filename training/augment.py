"""Augmentations on whole batches of tensors; every draw comes from the generator passed in."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from models.geometry import SIZE, hole_mask

# A mirrored picture makes these words false.
SIDED = re.compile(r"\b(left|right)(hand)?\b", re.IGNORECASE)


def random_crop(pixels: Tensor, rng: torch.Generator, size: int = SIZE) -> Tensor:
    """Cut a window of side `size` at a random place out of each `(N, 3, S, S)`, S ≥ `size`."""
    room = pixels.shape[-1] - size
    if room == 0:
        return pixels
    corners = torch.randint(room + 1, (len(pixels), 2), generator=rng).tolist()
    cuts = [p[:, y : y + size, x : x + size] for p, (y, x) in zip(pixels, corners, strict=True)]
    return torch.stack(cuts)


def centre_crop(pixels: Tensor, size: int = SIZE) -> Tensor:
    """Cut the central window of side `size` out of `(N, 3, S, S)`, S ≥ `size`."""
    start = (pixels.shape[-1] - size) // 2
    return pixels[:, :, start : start + size, start : start + size]


def random_flip(pixels: Tensor, captions: Sequence[str], rng: torch.Generator) -> Tensor:
    """Mirror half of the pictures, but none whose caption speaks of left or right."""
    sided = torch.tensor([bool(SIDED.search(c)) for c in captions])
    flip = (torch.rand(len(pixels), generator=rng) < 0.5) & ~sided
    return torch.where(flip[:, None, None, None], pixels.flip(3), pixels)


def random_rotation(
    images: Tensor, share: float, degrees: float, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Turn some pictures by a small angle, each together with its hole.

    The picture shrinks by `cos θ + sin |θ|` as it turns, so that the turned hole still lies within
    the central 32×32 that a generator can write; what comes in at the border is mirrored.

    Args:
        images: float `(N, 3, 64, 64)`.
        share: of the pictures to turn, 0 to 1.
        degrees: largest angle, either way.
        rng: where the draws come from.

    Returns:
        Images and masks `(N, 1, 64, 64)`; those not turned are untouched, to the bit.
    """
    count = len(images)
    angles = (torch.rand(count, generator=rng) * 2 - 1) * torch.deg2rad(torch.tensor(degrees))
    chosen = torch.rand(count, generator=rng) < share
    masks = hole_mask(count)
    if not chosen.any():
        return images, masks
    turn = angles[chosen]
    cos, sin = turn.cos(), turn.sin()
    zoom = cos + sin.abs()
    rows = torch.stack([cos * zoom, -sin * zoom, sin * zoom, cos * zoom], dim=1).view(-1, 2, 2)
    matrix = torch.cat([rows, torch.zeros(len(rows), 2, 1)], dim=2)
    grid = affine_grid(matrix, [len(rows), 3, SIZE, SIZE], align_corners=False)
    turned = grid_sample(images[chosen], grid, padding_mode="reflection", align_corners=False)
    holes = grid_sample(masks[chosen], grid, mode="nearest", align_corners=False)
    images, masks = images.clone(), masks.clone()
    images[chosen], masks[chosen] = turned, holes
    return images, masks
