"""The window: the square of an image that is scaled to 64×64, and pasting a fill back.

No pixel of the hole reaches the context: scaling applies a triangle filter to the visible pixels
alone and divides by the sum of their weights, none of which is negative.
"""

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from captionfill.errors import InvalidRegion
from captionfill.imaging.codec import Picture, Pixels

# Equal to those of `models.geometry`, which needs torch; a test compares them.
SIZE, HOLE, EDGE = 64, 32, 16
MIN_REGION = 4

Weights = NDArray[np.float64]


class Region(NamedTuple):
    """The pixels to fill: left, top, width and height in the upright image."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Window:
    """A square hole around a region, in the middle of a square twice its side.

    Attributes:
        left: of the hole in pixels; may lie outside of the image, as may `top`.
        top: of the hole.
        side: of the hole.
    """

    left: int
    top: int
    side: int

    @classmethod
    def around(cls, region: Region) -> "Window":
        """Return the window whose hole is the smallest square centred on the region."""
        side = max(region.width, region.height)
        left = region.x + (region.width - side) // 2
        return cls(left, region.y + (region.height - side) // 2, side)

    @property
    def corner(self) -> tuple[float, float]:
        """Left and top of the window in pixels; half pixels where the side of the hole is odd."""
        return self.left - self.side / 2, self.top - self.side / 2


def parse_region(text: str) -> Region:
    """Read ``x,y,width,height``, for an image of any size.

    Raises:
        InvalidRegion: not four whole numbers.
    """
    if not re.fullmatch(r"\s*\d{1,6}\s*(,\s*\d{1,6}\s*){3}", text, re.ASCII):
        raise InvalidRegion("region must be x,y,width,height in whole pixels, such as 16,16,32,32")
    return Region(*map(int, text.split(",")))


def resolve_region(text: str | None, size: tuple[int, int]) -> Region:
    """Read ``x,y,width,height``, or take the central half of a ``(width, height)`` image.

    Raises:
        InvalidRegion: not four whole numbers, outside the picture, too small or too large.
    """
    width, height = size
    if text is None:
        side = min(size) // 2
        return Region((width - side) // 2, (height - side) // 2, side, side)
    region = parse_region(text)
    longest = min(size) * 3 // 4
    if min(region.width, region.height) < MIN_REGION:
        raise InvalidRegion(f"each side of the region must be at least {MIN_REGION} pixels")
    if max(region.width, region.height) > longest:
        raise InvalidRegion(f"each side of the region must be at most {longest} pixels here")
    if region.x + region.width > width or region.y + region.height > height:
        raise InvalidRegion(f"the region leaves the picture, which is {width}×{height}")
    return region


def extract_context(rgb: Pixels, window: Window) -> Pixels:
    """Scale the window to 64×64 and set its hole to zero. The hole is never read.

    Where the hole is 32×32, every pixel keeps its value. Outside of the image the nearest visible
    pixel is repeated.

    Args:
        rgb: uint8 `(H, W, 3)`.
        window: in the image.

    Returns:
        uint8 `(64, 64, 3)`.
    """
    total, mass = _gather(rgb, window)
    known = mass > 1e-9
    cells = np.zeros((SIZE, SIZE, 3), np.uint8)
    cells[known] = np.rint(total[known] / mass[known][:, None])
    hole = np.zeros_like(known)
    hole[EDGE : EDGE + HOLE, EDGE : EDGE + HOLE] = True
    _extend(cells, known & ~hole, ~known & ~hole)
    cells[hole] = 0
    return cells


def paste_fill(picture: Picture, region: Region, fill: Pixels) -> Picture:
    """Scale a fill to the hole and write the part of it in the region, nothing else.

    Args:
        picture: the input; not changed.
        region: the pixels to write; they become opaque.
        fill: uint8 `(32, 32, 3)`.
    """
    window = Window.around(region)
    x, y = region.x - window.left, region.y - window.top
    square = Image.fromarray(fill).resize((window.side, window.side), Image.Resampling.BICUBIC)
    rows = slice(region.y, region.y + region.height)
    columns = slice(region.x, region.x + region.width)
    rgb = picture.rgb.copy()
    rgb[rows, columns] = np.asarray(square)[y : y + region.height, x : x + region.width]
    if picture.alpha is None:
        return replace(picture, rgb=rgb)
    alpha = picture.alpha.copy()
    alpha[rows, columns] = 255
    return replace(picture, rgb=rgb, alpha=alpha)


def _gather(rgb: Pixels, window: Window) -> tuple[Weights, Weights]:
    """Return weighted sums of visible pixels `(64, 64, 3)` and of their weights `(64, 64)`.

    Row by row of the result, so that a large image is never held as floating point.
    """
    height, width, _ = rgb.shape
    left, top = window.corner
    down, first_row = _weights(top, window.side, height)
    across, first_column = _weights(left, window.side, width)
    visible = np.ones((down.shape[1], across.shape[1]), bool)
    hole_rows = _within(window.top - first_row, window.side, visible.shape[0])
    visible[hole_rows, _within(window.left - first_column, window.side, visible.shape[1])] = False
    near = rgb[first_row : first_row + visible.shape[0], first_column:][:, : visible.shape[1]]
    total, mass = np.zeros((SIZE, SIZE, 3)), np.zeros((SIZE, SIZE))
    for row, weights in enumerate(down):
        band = np.flatnonzero(weights)
        if band.size:
            rows = slice(band[0], band[-1] + 1)
            line = np.tensordot(weights[rows], near[rows] * visible[rows, :, None], 1)
            total[row] = across @ line
            mass[row] = across @ (weights[rows] @ visible[rows])
    return total, mass


def _weights(start: float, side: int, length: int) -> tuple[Weights, int]:
    """Return triangle-filter weights `(64, span)` of the pixels near the window, along one axis.

    At scale 1 the pixel itself has weight 1 and its neighbours 0, exactly.

    Returns:
        The weights, and the index of the span's first pixel.
    """
    scale = 2 * side / SIZE
    reach = max(scale, 1.0)
    centres = start + (np.arange(SIZE) + 0.5) * scale
    first = max(0, int(np.floor(centres[0] - reach)))
    last = min(length, int(np.ceil(centres[-1] + reach)) + 1)
    pixels = np.arange(first, last) + 0.5
    return np.maximum(0.0, 1.0 - np.abs(centres[:, None] - pixels) / reach), first


def _within(start: int, side: int, length: int) -> slice:
    return slice(max(0, start), max(0, min(length, start + side)))


def _extend(cells: Pixels, known: NDArray[np.bool_], missing: NDArray[np.bool_]) -> None:
    """Copy to every missing cell the colour of the nearest known one."""
    if not missing.any():
        return
    # The nearest cell always lies on the edge of the known cells.
    around = np.pad(known, 1, constant_values=True)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    sources, targets = np.argwhere(known & ~inner), np.argwhere(missing)
    far = ((targets[:, None] - sources) ** 2).sum(-1)
    cells[missing] = cells[tuple(sources[far.argmin(1)].T)]
