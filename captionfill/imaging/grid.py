"""The window of a photo as a grid of cells, and the cells' places in the photo."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from captionfill.imaging.masks import Mask

# Equal to those of `models.geometry`, which needs torch; a test compares them.
SIZE, HOLE, EDGE = 64, 32, 16

Values = NDArray[np.float32]


class Box(NamedTuple):
    """Pixels of a photo: the first row and column, and those after the last."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def place(self) -> tuple[slice, slice]:
        """The rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Grid(NamedTuple):
    """Colours of square cells that cover a window of a photo.

    Attributes:
        cells: float32 `(N, N, 3)`, 8-bit levels.
        top: row of the photo where the first cell begins; may be fractional or negative.
        left: the same for columns.
        scale: side of a cell in pixels.
    """

    cells: Values
    top: float
    left: float
    scale: float

    def resample(self, count: int) -> "Grid":
        """Cover the same window by `(count, count)` cells: means of them, or interpolated."""
        how = Image.Resampling.BOX if count < len(self.cells) else Image.Resampling.BICUBIC
        cells = _resize(self.cells, (count, count), how)
        return self._replace(cells=cells, scale=self.scale * len(self.cells) / count)

    def upscale(self, box: Box) -> Values:
        """Interpolate the colours of a box of pixels, float32 `(height, width, 3)`."""
        left, right = ((one - self.left) / self.scale for one in (box.left, box.right))
        top, bottom = ((one - self.top) / self.scale for one in (box.top, box.bottom))
        size = box.right - box.left, box.bottom - box.top
        return _resize(self.cells, size, Image.Resampling.BICUBIC, (left, top, right, bottom))

    def box(self, place: Sequence[int], side: int) -> Box:
        """Pixels within `(side, side)` cells from a row and column on; as many for every place."""
        top, left = (
            math.ceil(start + cell * self.scale)
            for start, cell in zip((self.top, self.left), place, strict=True)
        )
        pixels = math.floor(side * self.scale) - 1
        return Box(top, left, top + pixels, left + pixels)

    def visible(self, height: int, width: int) -> Mask:
        """Which cells of `(N, N)` lie in the photo as a whole, and outside of the hole."""
        count = len(self.cells)
        seen = np.zeros((count, count), bool)
        rows, columns = (
            slice(max(0, math.ceil(-start / self.scale)), math.floor((end - start) / self.scale))
            for start, end in ((self.top, height), (self.left, width))
        )
        seen[rows, columns] = True
        hole = slice(count // 4, count - count // 4)
        seen[hole, hole] = False
        return seen


def _resize(
    values: Values,
    size: tuple[int, int],
    how: Image.Resampling,
    box: tuple[float, float, float, float] | None = None,
) -> Values:
    """Resize each channel by Pillow, which computes single channels in floating point."""
    channels = (Image.fromarray(np.ascontiguousarray(values[..., i])) for i in range(3))
    return np.stack([np.asarray(one.resize(size, how, box)) for one in channels], -1)
