"""The rectangle of an image to fill, and the square window around it that the networks read."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from captionfill.errors import InvalidRegion

MIN_REGION = 4

RegionSpec = str | Sequence[int] | None
"""Left, top, width, height in pixels, or the same as text; None for the central half."""


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
