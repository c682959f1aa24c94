"""Sizes of the image and the hole, hiding, pasting and conversion of levels, for arrays.

The counterparts for tensors are in `models.geometry`; both give the same bits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 64
HOLE = 32
EDGE = (SIZE - HOLE) // 2
CENTRE = slice(EDGE, EDGE + HOLE)

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def to_float(pixels: Bytes) -> Floats:
    """Convert 8-bit levels `v` of any shape to float32, `v / 127.5 - 1`, -1 to 1."""
    levels: Floats = np.divide(pixels, 127.5, dtype=np.float32)
    return levels - np.float32(1)


def to_uint8(images: Floats) -> Bytes:
    """Convert -1 to 1 to 8-bit levels of the same shape, rounding to nearest and clipping."""
    levels = np.rint((images + np.float32(1)) * np.float32(127.5))
    # A NaN would be an undefined level; as in torch it becomes 0.
    rounded: Bytes = np.nan_to_num(levels.clip(0, 255)).astype(np.uint8)
    return rounded


def hole_mask() -> Floats:
    """Return float32 `(1, 1, 64, 64)`, 1 inside the central 32×32 and 0 outside."""
    mask = np.zeros((1, 1, SIZE, SIZE), np.float32)
    mask[..., CENTRE, CENTRE] = 1
    return mask


def to_context(pixels: Bytes) -> Floats:
    """Return the context of images `(N, 3, 64, 64)`: floats, with the hole set to 0 (mid-grey)."""
    context = to_float(pixels)
    context[..., CENTRE, CENTRE] = 0
    return context


def cut_centre(images: NDArray[Any]) -> NDArray[Any]:
    """Cut the central 32×32 out of `(N, C, 64, 64)`."""
    return np.ascontiguousarray(images[..., CENTRE, CENTRE])


def paste_centre(images: Bytes, fills: Bytes) -> Bytes:
    """Return images `(N, 3, 64, 64)` with fills `(N, 3, 32, 32)` in their holes."""
    whole = np.array(np.broadcast_to(images, (len(fills), *images.shape[1:])))
    whole[..., CENTRE, CENTRE] = fills
    return whole
