"""The picture, the hole, and the two ways to write a pixel.

Everything here is per picture and exact: nothing in it may let a hidden pixel reach a network.
"""

import torch
from torch import Tensor

SIZE = 64
HOLE = 32
EDGE = (SIZE - HOLE) // 2
CENTRE = slice(EDGE, EDGE + HOLE)


def to_float(pixels: Tensor) -> Tensor:
    """Turn 8-bit levels into the networks' range.

    Args:
        pixels: uint8 `(N, 3, H, W)`, 0 to 255.

    Returns:
        float32 of the same shape, -1 to 1; level `v` becomes `v / 127.5 - 1`.
    """
    return pixels.float().div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """Turn the networks' range into 8-bit levels, rounding to nearest and clipping.

    Args:
        images: float `(N, 3, H, W)`, nominally -1 to 1.

    Returns:
        uint8 of the same shape; the exact inverse of `to_float` on its outputs.
    """
    return images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def hole_mask(count: int = 1, device: torch.device | str | None = None) -> Tensor:
    """Return the mask of the upright hole.

    Returns:
        float32 `(count, 1, 64, 64)`, 1 inside the central 32×32 and 0 outside.
    """
    mask = torch.zeros(count, 1, SIZE, SIZE, device=device)
    mask[:, :, CENTRE, CENTRE] = 1.0
    return mask


def whole_mask(count: int, size: int, device: torch.device | str | None = None) -> Tensor:
    """Return the mask of a hole as large as the picture: ones, float32 `(count, 1, size, size)`."""
    return torch.ones(count, 1, size, size, device=device)


def hide(images: Tensor, mask: Tensor) -> Tensor:
    """Return the context: the images with every hidden pixel set to 0 (mid-grey).

    `masked_fill` and not a product, so that not even a NaN in the hole gets through.

    Args:
        images: `(N, C, H, W)`.
        mask: `(N or 1, 1, H, W)`, nonzero where hidden.
    """
    return images.masked_fill(mask > 0, 0.0)


def centre(images: Tensor) -> Tensor:
    """Cut the central 32×32 out of `(N, C, 64, 64)`."""
    return images[:, :, CENTRE, CENTRE]


def paste(context: Tensor, mask: Tensor, fill: Tensor) -> Tensor:
    """Put a fill into the hole and leave every visible pixel as it is.

    Args:
        context: `(N, 3, S, S)`.
        mask: `(N or 1, 1, S, S)`, nonzero where hidden; only the part of it under the fill can be
            written, which is all of it for every mask this project makes.
        fill: `(N, 3, F, F)`, what the generator made of the centre: 32×32 of 64×64, or all of it.

    Returns:
        The composite, `(N, 3, S, S)`.
    """
    edge = (context.shape[-1] - fill.shape[-1]) // 2
    placed = torch.nn.functional.pad(fill, (edge, edge, edge, edge))
    return torch.where(mask > 0, placed, context)


def random_corners(count: int, room: int, rng: torch.Generator) -> Tensor:
    """Draw where crops begin, int64 `(count, 2)`, 0 to `room`; nothing is drawn for no room."""
    if room == 0:
        return torch.zeros(count, 2, dtype=torch.long)
    return torch.randint(room + 1, (count, 2), generator=rng)
