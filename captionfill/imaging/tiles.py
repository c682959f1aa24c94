"""Cover the holes of a mask by squares, each of them the hole of one window.

Holes between empty rows or columns are told apart by a recursive X-Y cut (Nagy and Seth,
"Hierarchical representation of optically scanned documents", ICPR 1984). A hole that is long or
large is covered by overlapping squares, whose fills fade into each other.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from captionfill.errors import InvalidMask
from captionfill.imaging.grid import HOLE
from captionfill.imaging.masks import Mask
from captionfill.imaging.region import MIN_REGION, Region

MAX_WINDOWS = 16
# Holes are told apart on a copy of the mask with about this many cells a side, for speed.
_COARSE = 512
# A square is at most so many times as long as the hole is thick, and overlaps by a quarter.
_STRETCH, _OVERLAP = 2.5, 4
# Narrows the transition between two fills: the mean of two textures is grey.
_SHARPNESS = 4

Shares = NDArray[np.float32]


class _Span(NamedTuple):
    """A part of an axis, and its share of each pixel, 0 to 1."""

    start: int
    length: int
    shares: Shares


@dataclass(frozen=True)
class Tile:
    """A part of the region to fill, with one window.

    Attributes:
        region: the pixels.
        shares: `(height, width)` as two factors `(height,)` and `(width,)`: how much of each pixel
            is of this tile. At every hidden pixel the shares of all tiles add up to 1.
    """

    region: Region
    shares: tuple[Shares, Shares] = field(repr=False)

    @classmethod
    def whole(cls, region: Region) -> "Tile":
        """Return the only tile of a region."""
        ones = np.ones(region.height, np.float32), np.ones(region.width, np.float32)
        return cls(region, ones)


def union(tiles: Sequence[Tile]) -> Region:
    """Return the smallest rectangle around all tiles."""
    regions = [tile.region for tile in tiles]
    left, top = min(one.x for one in regions), min(one.y for one in regions)
    right, bottom = max(r.x + r.width for r in regions), max(r.y + r.height for r in regions)
    return Region(left, top, right - left, bottom - top)


def cover(mask: Mask) -> list[Tile]:
    """Cover the true cells of a mask `(H, W)` by at most 16 tiles.

    The squares are as small as that allows, at least 32 pixels where the hole is not smaller, and
    at most three quarters of the shorter side.

    Raises:
        InvalidMask: more are needed, or less than a quarter is visible around one of them.
    """
    scale = HOLE
    while (tiles := _cover(mask, scale)) is None:
        scale *= 2
        if scale > 2 * max(mask.shape):
            raise InvalidMask(
                f"the holes need more than {MAX_WINDOWS} windows; fill them in several requests"
            )
    for tile in tiles:
        _check_surroundings(mask, tile.region)
    return tiles


def _cover(mask: Mask, scale: int) -> list[Tile] | None:
    """Cover a mask by squares of at least a scale [pixels]; None where they are too many."""
    boxes = _split(mask, scale // _OVERLAP)
    if boxes is None:
        return None
    tiles = chain.from_iterable(_tiles(mask, box, scale) for box in boxes)
    found = list(islice(tiles, MAX_WINDOWS + 1))
    return found if len(found) <= MAX_WINDOWS else None


def _split(mask: Mask, gap: int) -> list[Region] | None:
    """Return boxes around holes with at least a gap [pixels] between; None where too many."""
    block = math.ceil(max(mask.shape) / _COARSE)
    rows, columns = (np.arange(0, length, block) for length in mask.shape)
    coarse = np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, 0), columns, 1)
    cells = max(1, gap // block)
    pending, found = [Region(0, 0, coarse.shape[1], coarse.shape[0])], list[Region]()
    while pending:
        if len(pending) + len(found) > MAX_WINDOWS:
            return None
        box = pending.pop(0)
        parts = _cut(coarse, box, cells)
        if len(parts) == 1:
            found.append(_trim(mask, Region(*(block * number for number in parts[0]))))
        else:
            pending.extend(parts)
    return sorted(found, key=lambda box: (box.y, box.x))


def _cut(mask: Mask, box: Region, gap: int) -> list[Region]:
    """Cut a box at every empty band of rows or columns, and trim the parts."""
    columns, rows = (
        list(_runs(np.logical_or.reduce(mask[box.place], axis), gap)) for axis in range(2)
    )
    parts = [Region(box.x + x, box.y + y, w, h) for (y, h), (x, w) in product(rows, columns)]
    return [part for part in parts if mask[part.place].any()]


def _runs(line: Mask, gap: int) -> Iterator[tuple[int, int]]:
    """Start and length of each run of true cells; a shorter gap than ``gap`` does not end one."""
    cells = np.flatnonzero(line)
    for run in np.split(cells, np.flatnonzero(np.diff(cells) > gap) + 1):
        yield int(run[0]), int(run[-1] - run[0]) + 1


def _trim(mask: Mask, box: Region) -> Region:
    """Return the smallest rectangle around the true cells of a box, at least 4×4 pixels."""
    part = mask[box.place]
    (x, w), (y, h) = (_extent(np.logical_or.reduce(part, axis)) for axis in range(2))
    w, h = max(w, MIN_REGION), max(h, MIN_REGION)
    return Region(min(box.x + x, mask.shape[1] - w), min(box.y + y, mask.shape[0] - h), w, h)


def _extent(line: Mask) -> tuple[int, int]:
    """Return start and length from the first true cell to the last."""
    cells = np.flatnonzero(line)
    return int(cells[0]), int(cells[-1] - cells[0]) + 1


def _tiles(mask: Mask, box: Region, scale: int) -> Iterator[Tile]:
    """Cover a box by squares, and leave out those without a hidden pixel."""
    wide = max(box.width, box.height)
    thickness = np.count_nonzero(mask[box.place]) / wide  # the height of a bar of the same area
    side = min(wide, max(scale, int(_STRETCH * thickness)), min(mask.shape) * 3 // 4)
    for row, column in product(_spans(box.y, box.height, side), _spans(box.x, box.width, side)):
        region = Region(column.start, row.start, column.length, row.length)
        if mask[region.place].any():
            yield Tile(region, (row.shares, column.shares))


def _spans(start: int, length: int, side: int) -> list[_Span]:
    """Cover an axis by spans of one side, evenly spaced; each fades in and out."""
    side = min(side, length)
    overlap = side // _OVERLAP
    count = max(1, math.ceil((length - overlap) / (side - overlap)))
    firsts = [(length - side) * i // max(1, count - 1) for i in range(count)]
    shares = np.zeros((count, length), np.float32)
    inside = np.arange(side, dtype=np.float32) + 0.5
    for i, first in enumerate(firsts):
        rise = inside if i else np.full_like(inside, side)
        fall = inside[::-1] if i < count - 1 else np.full_like(inside, side)
        shares[i, first : first + side] = (np.minimum(rise, fall) / side) ** _SHARPNESS
    shares /= shares.sum(0)
    return [
        _Span(start + first, side, shares[i, first : first + side])
        for i, first in enumerate(firsts)
    ]


def _check_surroundings(mask: Mask, region: Region) -> None:
    """Check that a quarter of what lies around a tile's hole in its window is visible."""
    left, top, side = region.window
    window = _clip(mask, math.floor(left), math.floor(top), side)
    hole = _clip(mask, *region.hole[:3])
    around = window.size - hole.size
    hidden = np.count_nonzero(window) - np.count_nonzero(hole)
    if 4 * (around - hidden) < around:
        raise InvalidMask(
            "the mask hides too much: less than a quarter of the pixels around the hole of "
            f"{region.width}×{region.height} at {region.x},{region.y} would be visible"
        )


def _clip(mask: Mask, x: int, y: int, side: int) -> Mask:
    return mask[max(0, y) : max(0, y + side), max(0, x) : max(0, x + side)]
