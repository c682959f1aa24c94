"""A decoded image with the region to fill, and its composites with the fills."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captionfill.imaging.codec import MAX_PIXELS, Picture, Pixels, write_png
from captionfill.imaging.geometry import (
    HOLE,
    Region,
    Window,
    extract_context,
    paste_fill,
    resolve_region,
)
from captionfill.imaging.masks import Mask, read_mask
from captionfill.imaging.sources import ImageSource, load_picture

RegionSpec = str | Sequence[int] | None
"""Left, top, width, height in pixels, or the same as text; None for the central half."""


@dataclass(frozen=True)
class Canvas:
    """A decoded image, the region of it to fill, and the window that the generator reads.

    Attributes:
        picture: the image.
        region: the pixels to fill, or the smallest rectangle around a mask's hole.
        window: uint8 `(64, 64, 3)`, sRGB; its central 32×32 is zero.
        mask: which pixels of the region to fill; None for all of them.
    """

    picture: Picture
    region: Region
    window: Pixels
    mask: Mask | None = None

    @classmethod
    def open(
        cls,
        image: ImageSource,
        region: RegionSpec = None,
        max_pixels: int = MAX_PIXELS,
        mask: ImageSource | None = None,
    ) -> "Canvas":
        """Decode and check an image, and scale the window around its region.

        Args:
            image: encoded, as a path, or of Pillow.
            region: to fill.
            max_pixels: limit for the image and the mask.
            mask: in the place of the region: its fully transparent pixels are filled. Empty bytes
                stand for the image's own transparency.

        Raises:
            CaptionfillError: the image, region or mask cannot be used; a subclass says which.
        """
        picture = load_picture(image, max_pixels)
        hole = None if mask is None else read_mask(mask or None, picture, max_pixels)
        if region is not None and not isinstance(region, str):
            region = ",".join(map(str, region))
        chosen = resolve_region(region, picture.size) if hole is None else hole.region
        window = extract_context(picture.rgb, Window.around(chosen))
        return cls(picture, chosen, picture.transfer.to_srgb(window), hole)

    def composite(self, fill: Pixels) -> Picture:
        """Return the image with a fill, uint8 `(32, 32, 3)`, scaled into its region."""
        filled = paste_fill(self.picture, self.region, self.picture.transfer.from_srgb(fill))
        return self.mask.restore(self.picture, filled) if self.mask else filled

    def composite_pngs(self, fills: Pixels) -> list[bytes]:
        """Return the image as PNG with each of the fills, uint8 `(N, 32, 32, 3)`."""
        return [write_png(self.composite(fill)) for fill in fills]


def unpack_fills(fills: bytes) -> Pixels:
    """Read raw fills, 3,072 bytes each, as uint8 `(N, 32, 32, 3)`."""
    return np.frombuffer(fills, np.uint8).reshape(-1, HOLE, HOLE, 3)
