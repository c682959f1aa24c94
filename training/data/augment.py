"""Augmentations: random parameters for a whole batch, and their application."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

from models.geometry import SIZE, hole_mask

# Pictures with these words in a caption are not mirrored.
LEFT_OR_RIGHT = re.compile(r"\b(left|right)(hand)?\b", re.IGNORECASE)


def random_flips(count: int, rng: torch.Generator) -> Tensor:
    """Draw random bools, `(count,)`."""
    return torch.rand(count, generator=rng) < 0.5


def random_angles(count: int, share: float, degrees: float, rng: torch.Generator) -> Tensor:
    """Draw angles [rad], `(count,)`, uniform in ±`degrees` for a `share` of them, else 0."""
    angles = (torch.rand(count, generator=rng) * 2 - 1) * torch.deg2rad(torch.tensor(degrees))
    chosen = torch.rand(count, generator=rng) < share
    return torch.where(chosen, angles, 0.0)


def crop(pixels: Tensor, corner: Tensor, size: int = SIZE) -> Tensor:
    """Crop a window of side `size` at a corner of each image, `(N, 3, S, S)`, S ≥ `size`."""
    if pixels.shape[-1] == size:
        return pixels
    places = zip(pixels, corner.tolist(), strict=True)
    return torch.stack([p[:, y : y + size, x : x + size] for p, (y, x) in places])


def centre_crop(pixels: Tensor, size: int = SIZE) -> Tensor:
    """Crop the central window of side `size` of images `(N, 3, S, S)`, S ≥ `size`."""
    start = (pixels.shape[-1] - size) // 2
    return pixels[:, :, start : start + size, start : start + size]


def apply_view(windows: Tensor, view: str) -> Tensor:
    """Turn uint8 windows `(N, 3, W, W)` into the pictures of a run; see `ImageSpec.view`."""
    if view == "shrink":
        return avg_pool2d(windows.float(), 2).round().to(windows.dtype)
    return windows if view == "crop" else centre_crop(windows, windows.shape[-1] // 2)


def mirror(pixels: Tensor, captions: Sequence[str], chosen: Tensor) -> Tensor:
    """Mirror the chosen images, bool `(N,)`, unless the caption mentions left or right."""
    sided = torch.tensor([bool(LEFT_OR_RIGHT.search(c)) for c in captions])
    return torch.where((chosen & ~sided)[:, None, None, None], pixels.flip(3), pixels)


def rotate(images: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
    """Rotate images by small angles, together with their holes.

    The image is scaled down by `cos θ + sin |θ|`, so that the rotated hole stays within the central
    32×32 that a generator can write. The border is filled by reflection. Images `(N, 3, 64, 64)`
    with angle 0 [rad] are unchanged, bit for bit. The masks are `(N, 1, 64, 64)`.
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
