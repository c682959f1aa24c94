"""A decoded image with the pixels to fill, the windows for the networks, and its composites."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from captionfill.errors import InvalidField
from captionfill.imaging.codec import (
    MAX_PIXELS,
    ImageSource,
    Picture,
    Pixels,
    load_picture,
    write_png,
)
from captionfill.imaging.context import extract_context
from captionfill.imaging.grid import EDGE, HOLE, SIZE, Box, Grid
from captionfill.imaging.masks import Mask, read_mask
from captionfill.imaging.native.native_fill import render_fill
from captionfill.imaging.region import Region, RegionSpec, resolve_region
from captionfill.imaging.tiles import Tile, cover, union

# Rows that are blended at a time, so that a large image is never held as floating point.
_BAND = 256

Detail = Literal["none", "surroundings"]
"""How a fill gets the photo's resolution: interpolated alone, or with the surroundings' detail."""


@dataclass(frozen=True)
class Canvas:
    """A decoded image, the pixels of it to fill, and the windows that the generator reads.

    Attributes:
        picture: the image.
        region: the pixels to fill, or the smallest rectangle around a mask's holes.
        tiles: the parts of the region that one window fills each; for a region only one.
        windows: uint8 `(tiles, 64, 64, 3)`, sRGB; the central 32×32 of each is zero.
        mask: bool `(region.height, region.width)`, which of the region's pixels to fill; None for
            all of them.
        detail: how a fill is scaled into the region.
    """

    picture: Picture
    region: Region
    tiles: Sequence[Tile]
    windows: Pixels
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
        """Decode and check an image, and scale the windows around the pixels to fill.

        Args:
            image: encoded, as a path, or of Pillow.
            region: to fill.
            max_pixels: limit for the image and the mask.
            mask: in the place of the region: its white pixels are filled, or the transparent ones
                where it has any (see `read_mask`). Empty bytes stand for the image's own
                transparency.
            detail: how a fill is scaled into the region.

        Raises:
            CaptionfillError: the image, region or mask cannot be used; a subclass says which.
        """
        picture = load_picture(image, max_pixels)
        if mask is None:
            text = region if region is None or isinstance(region, str) else _join(region)
            return cls.of_region(picture, resolve_region(text, picture.size), detail)
        own = isinstance(mask, bytes) and not mask
        hole = read_mask(None if own else mask, picture, max_pixels)
        return cls.of_mask(picture, hole, detail)

    @classmethod
    def of_region(
        cls, picture: Picture, region: Region, detail: Detail = "surroundings"
    ) -> "Canvas":
        """Fill all pixels of a region by one window."""
        windows = _windows(picture, [region], None)
        return cls(picture, region, [Tile.whole(region)], windows, detail=detail)

    @classmethod
    def of_mask(cls, picture: Picture, hole: Mask, detail: Detail = "surroundings") -> "Canvas":
        """Fill the true pixels of a mask `(H, W)` by as many windows as its holes need.

        Raises:
            InvalidMask: they are too many, or too large (`captionfill.imaging.tiles.cover`).
        """
        tiles = cover(hole)
        region = union(tiles)
        windows = _windows(picture, [tile.region for tile in tiles], hole)
        return cls(picture, region, tiles, windows, hole[region.place], detail)

    @property
    def window(self) -> Pixels:
        """The first window `(64, 64, 3)`; for a region the only one."""
        window: Pixels = self.windows[0]
        return window

    def composite(self, fills: Pixels) -> Picture:
        """Return the image with fills, uint8 `(tiles, 32, 32, 3)`, scaled into its tiles.

        Nothing outside of the region and the mask is written; what is written becomes opaque.
        Where tiles overlap, their fills fade into each other. A hole of 32×32 pixels gets the fill
        as it is. Any other fill is fitted to the colours around the hole and gets the detail of
        its surroundings, unless `detail` is `none`.
        """
        picture = self.picture
        levels = _to_power(fills.reshape(-1, HOLE, HOLE, 3), 1 / picture.to_srgb)
        rgb, alpha = picture.rgb.copy(), picture.alpha
        self._fill(rgb, levels)
        if alpha is not None:
            alpha = alpha.copy()
            alpha[self.region.place][... if self.mask is None else self.mask] = 255
        return replace(picture, rgb=rgb, alpha=alpha)

    def composites(self, fills: Pixels) -> list[Picture]:
        """Return the image with each candidate's fills, `(candidates * tiles, 32, 32, 3)`."""
        candidates = fills.reshape(-1, len(self.tiles), HOLE, HOLE, 3)
        return [self.composite(one) for one in candidates]

    def cut_out(self, filled: Picture) -> Picture:
        """Return the region of a composite alone; what a mask leaves of it is transparent."""
        alpha = None if self.mask is None else np.where(self.mask, 255, 0).astype(np.uint8)
        return replace(filled, rgb=filled.rgb[self.region.place], alpha=alpha)

    def composite_pngs(self, fills: Pixels) -> list[bytes]:
        """Return `composites` as PNG."""
        return [write_png(one) for one in self.composites(fills)]

    def _fill(self, rgb: Pixels, levels: Pixels) -> None:
        """Write fills into an image."""
        plain = [
            _interpolate(one, tile.region) for one, tile in zip(levels, self.tiles, strict=True)
        ]
        is_plain = [self.detail == "none" or one.region.hole.width == HOLE for one in self.tiles]
        if all(is_plain) or len(plain) > 1:
            # Of several: the surroundings of a tile may have hidden pixels of another.
            self._blend(rgb, plain)
        if not all(is_plain):
            self._blend(
                rgb,
                [
                    plain[i] if is_plain[i] else self._render(rgb, i, one)
                    for i, one in enumerate(levels)
                ],
            )

    def _render(self, rgb: Pixels, number: int, levels: Pixels) -> Pixels:
        """Scale a tile's fill so that it continues the surroundings; see `render_fill`."""
        region = self.tiles[number].region
        left, top, side = region.window
        cells = _to_power(self.windows[number], 1 / self.picture.to_srgb).astype(np.float32)
        cells[EDGE : EDGE + HOLE, EDGE : EDGE + HOLE] = levels
        box = Box(region.y, region.x, region.y + region.height, region.x + region.width)
        hole = np.ones((region.height, region.width), bool)
        if self.mask is not None:
            inside = region._replace(x=region.x - self.region.x, y=region.y - self.region.y)
            hole = self.mask[inside.place]
        return render_fill(Grid(cells, top, left, side / SIZE), rgb, box, hole)

    def _blend(self, rgb: Pixels, parts: Sequence[Pixels]) -> None:
        """Write the sum of the tiles' parts, each times the tile's shares."""
        target = rgb[self.region.place]
        if len(parts) == 1:
            np.copyto(target, parts[0], where=self._where(slice(None)))
            return
        for start in range(0, self.region.height, _BAND):
            rows = slice(start, min(start + _BAND, self.region.height))
            total = np.zeros((rows.stop - start, *target.shape[1:]), np.float32)
            for tile, part in zip(self.tiles, parts, strict=True):
                _add(total, part, tile, self.region._replace(y=self.region.y + start))
            levels = np.rint(total).astype(np.uint8)
            np.copyto(target[rows], levels, where=self._where(rows))

    def _where(self, rows: slice) -> Mask | bool:
        return True if self.mask is None else self.mask[rows, :, None]


def unpack_fills(fills: bytes, tiles: int = 1) -> Pixels:
    """Read raw fills, 3,072 bytes each, as uint8 `(candidates, tiles, 32, 32, 3)`."""
    return np.frombuffer(fills, np.uint8).reshape(-1, tiles, HOLE, HOLE, 3)


def pack_mask(canvas: Canvas) -> bytes:
    """Encode the mask of a canvas as PNG of one bit per pixel, white on black.

    Opened with the same image it gives an equal canvas.
    """
    width, height = canvas.picture.size
    hole = np.zeros((height, width), bool)
    hole[canvas.region.place] = True if canvas.mask is None else canvas.mask
    out = BytesIO()
    Image.fromarray(hole).save(out, "PNG")
    return out.getvalue()


def _windows(picture: Picture, regions: Sequence[Region], hidden: Mask | None) -> Pixels:
    levels = [extract_context(picture.rgb, region, hidden) for region in regions]
    return _to_power(np.stack(levels), picture.to_srgb)


def _interpolate(levels: Pixels, region: Region) -> Pixels:
    """Scale a fill's levels to a region, uint8 `(height, width, 3)`."""
    left, top, side, _ = region.hole
    square = Image.fromarray(levels).resize((side, side), Image.Resampling.BICUBIC)
    inside = region._replace(x=region.x - left, y=region.y - top)
    return np.asarray(square)[inside.place]


def _add(total: NDArray[np.float32], part: Pixels, tile: Tile, band: Region) -> None:
    """Add a tile's part of a band of rows; the band begins at the top left of ``total``."""
    down, across = tile.shares
    top, left = tile.region.y - band.y, tile.region.x - band.x
    first, last = max(0, -top), min(len(part), len(total) - top)
    if first < last:
        shares = down[first:last, None, None] * across[:, None]
        columns = slice(left, left + part.shape[1])
        total[top + first : top + last, columns] += part[first:last] * shares


def _to_power(levels: Pixels, power: float) -> Pixels:
    """Raise 8-bit levels, as parts of 255, to a power."""
    if power == 1:
        return levels
    table = np.rint(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
    return table[levels]


def _join(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
