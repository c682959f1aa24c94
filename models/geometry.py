"""Sizes of the image and the hole, hiding and pasting, and conversion of levels.

Everything here is per image and exact: no hidden pixel may reach a network.
"""

import torch
from torch import Tensor

from models.pixels import CENTRE, EDGE, HOLE, SIZE

__all__ = [
    "CENTRE", "EDGE", "HOLE", "SIZE", "centre", "hide", "hole_mask", "paste", "random_corners",
    "to_float", "to_uint8", "whole_mask",
]  # fmt: skip


def to_float(pixels: Tensor) -> Tensor:
    """Convert 8-bit levels `v` of any shape to float32, `v / 127.5 - 1`, -1 to 1."""
    return pixels.float().div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """Convert -1 to 1 to 8-bit levels of the same shape, rounding to nearest and clipping.

    The exact inverse of `to_float` on its outputs.
    """
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def hole_mask(count: int = 1, device: torch.device | str | None = None) -> Tensor:
    """Return float32 `(count, 1, 64, 64)`, 1 inside the central 32×32 and 0 outside."""
    mask = torch.zeros(count, 1, SIZE, SIZE, device=device)
    mask[:, :, CENTRE, CENTRE] = 1.0
    return mask


def whole_mask(count: int, size: int, device: torch.device | str | None = None) -> Tensor:
    """Return the mask of a hole as large as the image: ones, float32 `(count, 1, size, size)`."""
    return torch.ones(count, 1, size, size, device=device)


def hide(images: Tensor, mask: Tensor) -> Tensor:
    """Return the context: the images with every hidden pixel set to 0 (mid-grey).

    Images are `(N, C, H, W)`; the mask, `(N or 1, 1, H, W)`, is nonzero where hidden. By
    `masked_fill` and not by a product, so that not even a NaN in the hole gets through.
    """
    return images.masked_fill(mask > 0, 0.0)


def centre(images: Tensor) -> Tensor:
    """Cut the central 32×32 out of `(N, C, 64, 64)`."""
    return images[:, :, CENTRE, CENTRE]


def paste(context: Tensor, mask: Tensor, fill: Tensor) -> Tensor:
    """Put a fill into the hole and leave every visible pixel as it is.

    Args:
        context: `(N, 3, S, S)`.
        mask: `(N or 1, 1, S, S)`, nonzero where hidden; only its part under the fill is written.
        fill: `(N, 3, F, F)`, of the centre: 32×32 of 64×64, or all of it.
    """
    edge = (context.shape[-1] - fill.shape[-1]) // 2
    placed = torch.nn.functional.pad(fill, (edge, edge, edge, edge))
    return torch.where(mask > 0, placed, context)


def random_corners(count: int, room: int, rng: torch.Generator) -> Tensor:
    """Draw where crops begin, int64 `(count, 2)`, 0 to `room`; nothing is drawn for no room."""
    if room == 0:
        return torch.zeros(count, 2, dtype=torch.long)
    return torch.randint(room + 1, (count, 2), generator=rng)
