"""A decoded image with the region to fill, its window for the networks, and its composites.

The window is the square of the image that is scaled to 64×64. No pixel of the hole reaches it:
scaling applies a triangle filter to the visible pixels alone and divides by the sum of their
weights, none of which is negative.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from captionfill.errors import InvalidField, InvalidMask, InvalidRegion
from captionfill.imaging.codec import (
    MAX_PIXELS,
    ImageSource,
    Picture,
    Pixels,
    load_picture,
    write_png,
)
from captionfill.imaging.grid import EDGE, HOLE, SIZE, Box, Grid
from captionfill.imaging.masks import Mask, read_mask
from captionfill.imaging.native_fill import render_fill

MIN_REGION = 4
_BAND = 32  # rows

Weights = NDArray[np.float64]
RegionSpec = str | Sequence[int] | None
"""Left, top, width, height in pixels, or the same as text; None for the central half."""
Detail = Literal["none", "surroundings"]
"""How a fill gets the photo's resolution: interpolated alone, or with the surroundings' detail."""


class Region(NamedTuple):
    """The pixels to fill: left, top, width and height in the upright image."""

    x: int
    y: int
    width: int
    height: int

    @property
    def place(self) -> tuple[slice, slice]:
        """The rows and columns of the region."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    @property
    def hole(self) -> "Region":
        """The smallest square centred on the region, which may reach beyond the image."""
        side = max(self.width, self.height)
        left, top = self.x + (self.width - side) // 2, self.y + (self.height - side) // 2
        return Region(left, top, side, side)

    @property
    def window(self) -> tuple[float, float, int]:
        """Left, top and side of the window: the hole is in its middle and has half its side."""
        left, top, side, _ = self.hole
        return left - side / 2, top - side / 2, 2 * side


@dataclass(frozen=True)
class Canvas:
    """A decoded image, the region of it to fill, and the window that the generator reads.

    Attributes:
        picture: the image.
        region: the pixels to fill, or the smallest rectangle around a mask's hole.
        window: uint8 `(64, 64, 3)`, sRGB; its central 32×32 is zero.
        mask: bool `(region.height, region.width)`, which of the region's pixels to fill; None for
            all of them.
        detail: how a fill is scaled into the region.
    """

    picture: Picture
    region: Region
    window: Pixels
    mask: Mask | None = None
    detail: Detail = "surroundings"

    def __post_init__(self) -> None:
        """Raise `InvalidField` for an unknown kind of detail."""
        if self.detail not in get_args(Detail):
            raise InvalidField(f"detail can only be {' or '.join(get_args(Detail))}")

    @classmethod
    def open(
        cls,
        image: ImageSource,
        region: RegionSpec = None,
        max_pixels: int = MAX_PIXELS,
        mask: ImageSource | None = None,
        detail: Detail = "surroundings",
    ) -> "Canvas":
        """Decode and check an image, and scale the window around its region.

        Args:
            image: encoded, as a path, or of Pillow.
            region: to fill.
            max_pixels: limit for the image and the mask.
            mask: in the place of the region: its fully transparent pixels are filled. They must
                lie within one square. Empty bytes stand for the image's own transparency.
            detail: how a fill is scaled into the region.

        Raises:
            CaptionfillError: the image, region or mask cannot be used; a subclass says which.
        """
        picture = load_picture(image, max_pixels)
        part = None
        if mask is not None:
            hole = read_mask(mask or None, picture, max_pixels)
            chosen = _surround(hole)
            part = hole[chosen.place]
        else:
            text = region if region is None or isinstance(region, str) else _join(region)
            chosen = resolve_region(text, picture.size)
        window = extract_context(picture.rgb, chosen)
        return cls(picture, chosen, _to_power(window, picture.to_srgb), part, detail)

    def composite(self, fill: Pixels) -> Picture:
        """Return the image with a fill, uint8 `(32, 32, 3)`, scaled into its region.

        Nothing outside of the region and the mask is written; what is written becomes opaque.
        A hole of 32×32 pixels gets the fill as it is. Any other fill is fitted to the colours
        around the hole and gets the detail of its surroundings, unless `detail` is `none`.
        """
        region, picture = self.region, self.picture
        levels = _to_power(fill, 1 / picture.to_srgb)
        plain = self.detail == "none" or region.hole.width == HOLE
        scaled = self._interpolate(levels) if plain else self._render(levels)
        rgb, alpha = picture.rgb.copy(), picture.alpha
        where = True if self.mask is None else self.mask[..., None]
        np.copyto(rgb[region.place], scaled, where=where)
        if alpha is not None:
            alpha = alpha.copy()
            alpha[region.place][... if self.mask is None else self.mask] = 255
        return replace(picture, rgb=rgb, alpha=alpha)

    def _interpolate(self, levels: Pixels) -> Pixels:
        """Scale a fill's levels to the region, uint8 `(height, width, 3)`."""
        left, top, side, _ = self.region.hole
        square = Image.fromarray(levels).resize((side, side), Image.Resampling.BICUBIC)
        inside = self.region._replace(x=self.region.x - left, y=self.region.y - top)
        return np.asarray(square)[inside.place]

    def _render(self, levels: Pixels) -> Pixels:
        """Scale a fill's levels so that they continue the surroundings; see `render_fill`."""
        region, picture = self.region, self.picture
        left, top, side = region.window
        cells = _to_power(self.window, 1 / picture.to_srgb).astype(np.float32)
        cells[EDGE : EDGE + HOLE, EDGE : EDGE + HOLE] = levels
        box = Box(region.y, region.x, region.y + region.height, region.x + region.width)
        hole = np.ones((region.height, region.width), bool) if self.mask is None else self.mask
        return render_fill(Grid(cells, top, left, side / SIZE), picture.rgb, box, hole)

    def cut_out(self, filled: Picture) -> Picture:
        """Return the region of a composite alone; what a mask leaves of it is transparent."""
        alpha = None if self.mask is None else np.where(self.mask, 255, 0).astype(np.uint8)
        return replace(filled, rgb=filled.rgb[self.region.place], alpha=alpha)

    def composite_pngs(self, fills: Pixels) -> list[bytes]:
        """Return the image as PNG with each of the fills, uint8 `(N, 32, 32, 3)`."""
        return [write_png(self.composite(fill)) for fill in fills]


def unpack_fills(fills: bytes) -> Pixels:
    """Read raw fills, 3,072 bytes each, as uint8 `(N, 32, 32, 3)`."""
    return np.frombuffer(fills, np.uint8).reshape(-1, HOLE, HOLE, 3)


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


def extract_context(rgb: Pixels, region: Region) -> Pixels:
    """Scale a region's window in `(H, W, 3)` to uint8 `(64, 64, 3)`, and set its hole to zero.

    The hole is never read. Where it is 32×32, every pixel keeps its value. Outside of the image
    the nearest visible pixel is repeated.
    """
    hole = np.s_[EDGE : EDGE + HOLE, EDGE : EDGE + HOLE]
    cells, known = (_crop if region.hole.width == HOLE else _shrink)(rgb, region)
    known[hole] = True  # as if known: not to be extended into
    missing = ~known
    known[hole] = False
    _extend(cells, known, missing)
    cells[hole] = 0
    return cells


def _crop(rgb: Pixels, region: Region) -> tuple[Pixels, Mask]:
    """Return a window of 64 pixels as it is, and which of its cells lie in the image."""
    left, top = region.hole.x - EDGE, region.hole.y - EDGE
    height, width, _ = rgb.shape
    rows, columns = _within(-top, height, SIZE), _within(-left, width, SIZE)
    cells, known = np.zeros((SIZE, SIZE, 3), np.uint8), np.zeros((SIZE, SIZE), bool)
    cells[rows, columns] = rgb[_within(top, SIZE, height), _within(left, SIZE, width)]
    known[rows, columns] = True
    return cells, known


def _shrink(rgb: Pixels, region: Region) -> tuple[Pixels, Mask]:
    """Return a window scaled to 64 cells a side, and which of them see a visible pixel."""
    total, mass = _gather(rgb, region)
    known = mass > 1e-9
    cells = np.zeros((SIZE, SIZE, 3), np.uint8)
    cells[known] = np.rint(total[known] / mass[known][:, None])
    return cells, known


def _gather(rgb: Pixels, region: Region) -> tuple[Weights, Weights]:
    """Return weighted sums of visible pixels `(64, 64, 3)` and of their weights `(64, 64)`.

    Band by band of the image, so that a large one is never held as floating point.
    """
    height, width, _ = rgb.shape
    left, top, side = region.window
    down, first_row = _weights(top, side, height)
    across, first_column = _weights(left, side, width)
    rows, columns = down.shape[1], across.shape[1]
    hidden = (
        _within(region.hole.y - first_row, side // 2, rows),
        _within(region.hole.x - first_column, side // 2, columns),
    )
    visible = np.ones((rows, columns))
    visible[hidden] = 0
    near = rgb[first_row : first_row + rows, first_column : first_column + columns]
    total = np.zeros((SIZE, columns, 3))
    for start in range(0, rows, _BAND):
        levels = near[start : start + _BAND].astype(np.float64)
        levels[max(0, hidden[0].start - start) : max(0, hidden[0].stop - start), hidden[1]] = 0
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


def _to_power(levels: Pixels, power: float) -> Pixels:
    """Raise 8-bit levels, as parts of 255, to a power."""
    if power == 1:
        return levels
    table = np.rint(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
    return table[levels]


def _surround(hole: Mask) -> Region:
    """Return the bounding box of the true cells, widened to the least size of a region."""
    height, width = hole.shape
    (x, w), (y, h) = (
        _span(np.flatnonzero(hole.any(axis)), length) for axis, length in enumerate((width, height))
    )
    try:
        return resolve_region(_join((x, y, w, h)), (width, height))
    except InvalidRegion as error:
        raise InvalidMask(f"the transparent part reaches over {w}×{h} pixels; {error}") from error


def _span(cells: NDArray[np.intp], length: int) -> tuple[int, int]:
    """Return start and length from the first cell to the last, widened to the least region."""
    start, extent = int(cells[0]), int(cells[-1] - cells[0]) + 1
    extent = max(extent, MIN_REGION)
    return min(start, length - extent), extent


def _join(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
