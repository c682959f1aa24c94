"""Scale the window around a hole to what the generator reads.

No pixel of the hole reaches it: scaling applies a triangle filter to the visible pixels alone and
divides by the sum of their weights, none of which is negative.
"""

import numpy as np
from numpy.typing import NDArray

from captionfill.imaging.codec import Pixels
from captionfill.imaging.grid import EDGE, HOLE, SIZE
from captionfill.imaging.masks import Mask
from captionfill.imaging.region import Region

Weights = NDArray[np.float64]
_BAND = 32  # rows


def extract_context(rgb: Pixels, region: Region, hidden: Mask | None = None) -> Pixels:
    """Scale a region's window in `(H, W, 3)` to uint8 `(64, 64, 3)`, and set its hole to zero.

    The hole is never read. Where it is 32×32, every pixel keeps its value. Outside of the image
    the nearest visible pixel is repeated.

    Args:
        rgb: the image.
        region: whose hole is in the middle of the window.
        hidden: bool `(H, W)`, pixels of other holes. They are not read either: the nearest
            visible pixel is repeated. One pixel around the hole must be visible.
    """
    hole = np.s_[EDGE : EDGE + HOLE, EDGE : EDGE + HOLE]
    cells, known = (_crop if region.hole.width == HOLE else _shrink)(rgb, region, hidden)
    known[hole] = True  # as if known: not to be extended into
    missing = ~known
    known[hole] = False
    _extend(cells, known, missing)
    cells[hole] = 0
    return cells


def _crop(rgb: Pixels, region: Region, hidden: Mask | None) -> tuple[Pixels, Mask]:
    """Return a window of 64 pixels as it is, and which of its cells lie in the image."""
    left, top = region.hole.x - EDGE, region.hole.y - EDGE
    height, width, _ = rgb.shape
    rows, columns = _within(-top, height, SIZE), _within(-left, width, SIZE)
    cells, known = np.zeros((SIZE, SIZE, 3), np.uint8), np.zeros((SIZE, SIZE), bool)
    place = _within(top, SIZE, height), _within(left, SIZE, width)
    cells[rows, columns] = rgb[place]
    known[rows, columns] = True if hidden is None else ~hidden[place]
    return cells, known


def _shrink(rgb: Pixels, region: Region, hidden: Mask | None) -> tuple[Pixels, Mask]:
    """Return a window scaled to 64 cells a side, and which of them see a visible pixel."""
    total, mass = _gather(rgb, region, hidden)
    known = mass > 1e-9
    cells = np.zeros((SIZE, SIZE, 3), np.uint8)
    cells[known] = np.rint(total[known] / mass[known][:, None])
    return cells, known


def _gather(rgb: Pixels, region: Region, hidden: Mask | None) -> tuple[Weights, Weights]:
    """Return weighted sums of visible pixels `(64, 64, 3)` and of their weights `(64, 64)`.

    Band by band of the image, so that a large one is never held as floating point.
    """
    height, width, _ = rgb.shape
    left, top, side = region.window
    down, first_row = _weights(top, side, height)
    across, first_column = _weights(left, side, width)
    rows, columns = down.shape[1], across.shape[1]
    hole = (
        _within(region.hole.y - first_row, side // 2, rows),
        _within(region.hole.x - first_column, side // 2, columns),
    )
    visible = np.ones((rows, columns))
    visible[hole] = 0
    place = slice(first_row, first_row + rows), slice(first_column, first_column + columns)
    near = rgb[place]
    if hidden is not None:
        visible[hidden[place]] = 0
    total = np.zeros((SIZE, columns, 3))
    for start in range(0, rows, _BAND):
        levels = near[start : start + _BAND].astype(np.float64)
        levels[visible[start : start + _BAND] == 0] = 0
        weights = down[:, start : start + _BAND]
        reached = weights.any(1)
        total[reached] += np.tensordot(weights[reached], levels, 1)
    return np.tensordot(total, across, (1, 1)).transpose(0, 2, 1), down @ visible @ across.T


def _weights(start: float, side: int, length: int) -> tuple[Weights, int]:
    """Return triangle-filter weights `(64, span)` along one axis, and the span's first pixel.

    At scale 1 the pixel itself has weight 1 and its neighbours 0, exactly.
    """
    scale = side / SIZE
    reach = max(scale, 1.0)
    centres = start + (np.arange(SIZE) + 0.5) * scale
    first = max(0, int(np.floor(centres[0] - reach)))
    last = min(length, int(np.ceil(centres[-1] + reach)) + 1)
    pixels = np.arange(first, last) + 0.5
    return np.maximum(0.0, 1.0 - np.abs(centres[:, None] - pixels) / reach), first


def _within(start: int, side: int, length: int) -> slice:
    return slice(max(0, start), max(0, min(length, start + side)))


def _extend(cells: Pixels, known: Mask, missing: Mask) -> None:
    """Copy to every missing cell the colour of the nearest known one."""
    if not missing.any():
        return
    # The nearest cell always lies on the edge of the known cells.
    around = np.pad(known, 1, constant_values=True)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    sources, targets = np.argwhere(known & ~inner), np.argwhere(missing)
    far = ((targets[:, None] - sources) ** 2).sum(-1)
    cells[missing] = cells[tuple(sources[far.argmin(1)].T)]
