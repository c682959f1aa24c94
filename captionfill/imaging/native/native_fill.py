"""A fill at the photo's own resolution: scaled, with detail, and fitted to the hole's edge."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from captionfill.imaging.codec import Pixels
from captionfill.imaging.grid import HOLE, Box, Grid, Values
from captionfill.imaging.masks import Mask
from captionfill.imaging.native.detail import add_detail
from captionfill.imaging.native.membrane import solve_membrane
from captionfill.imaging.native.plain import limit_variation

# Pixels of a cell above which a scaled fill is visibly softer than its surroundings.
_DETAIL_SCALE = 1.5
# Side of the largest hole in pixels that is computed in full; it bounds time and memory.
_MAX_SIDE = 1024


def render_fill(grid: Grid, photo: Pixels, box: Box, hole: Mask) -> Pixels:
    """Scale the fill in a window to a photo, so that it continues the visible pixels.

    A hole with a side of more than 1,024 pixels is computed in a reduced photo.

    Args:
        grid: the window with its fill, `(64, 64)` cells.
        photo: uint8 `(H, W, 3)`.
        box: of the photo, in the window's hole.
        hole: bool, which pixels of the box to fill; these are not read.

    Returns:
        uint8 of the box, `(height, width, 3)`. What it holds outside of the hole has no meaning.
    """
    share = HOLE * grid.scale / min(photo.shape[:2])
    grid = grid._replace(cells=limit_variation(grid.cells, share))
    factor = int(np.ceil(HOLE * grid.scale / _MAX_SIDE))
    values = (
        _render(grid, photo, box, hole)
        if factor == 1
        else _render_reduced(grid, photo, box, hole, factor)
    )
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)


def _render_reduced(grid: Grid, photo: Pixels, box: Box, hole: Mask, factor: int) -> Values:
    """Render in the photo reduced by a whole factor, and interpolate."""
    small = Grid(grid.cells, *(one / factor for one in grid[1:]))
    outer = Box(box.top // factor, box.left // factor, -(-box.bottom // factor),
                -(-box.right // factor))  # fmt: skip
    # A pixel of which any part is hidden is hidden.
    hidden = np.zeros(photo.shape[:2], bool)
    hidden[box.place] = hole
    reduced = np.asarray(Image.fromarray(photo).reduce(factor))
    values = _render(small, reduced, outer, _reduce(hidden, factor)[outer.place])
    pixels = Grid(values, outer.top * factor, outer.left * factor, factor)
    return pixels.upscale(box)


def _reduce(hidden: Mask, factor: int) -> Mask:
    """Return where any of `(factor, factor)` cells is true; the last ones may be fewer."""
    for axis in (0, 1):
        starts = np.arange(0, hidden.shape[axis], factor)
        hidden = np.logical_or.reduceat(hidden, starts, axis)
    return hidden


def _render(grid: Grid, photo: Pixels, box: Box, hole: Mask) -> Values:
    detailed = grid.scale > _DETAIL_SCALE
    values = add_detail(grid, photo, box) if detailed else grid.upscale(box)
    return np.asarray(values + _misfit(values, photo, box, hole))


def _misfit(values: Values, photo: Pixels, box: Box, hole: Mask) -> Values:
    """Return the membrane through the differences between the photo and a fill around the hole.

    Beyond the box the fill's nearest values are taken.
    """
    height, width, _ = photo.shape
    wider = Box(max(box.top - 1, 0), max(box.left - 1, 0), min(box.bottom + 1, height),
                min(box.right + 1, width))  # fmt: skip
    padding = ((box.top - wider.top, wider.bottom - box.bottom),
               (box.left - wider.left, wider.right - box.right))  # fmt: skip
    around: NDArray[np.float32] = photo[wider.place].astype(np.float32)
    around -= np.pad(values, (*padding, (0, 0)), "edge")
    membrane = solve_membrane(around, np.pad(hole, padding))
    rows, columns = (
        slice(first, first + side) for (first, _), side in zip(padding, hole.shape, strict=True)
    )
    return membrane[rows, columns]
