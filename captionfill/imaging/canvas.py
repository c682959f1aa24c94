"""A decoded picture with the region to fill, and its composite with the fills."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from captionfill.imaging.codec import Picture, Pixels, read_picture, write_png
from captionfill.imaging.geometry import (
    HOLE,
    Region,
    Window,
    extract_context,
    paste_fill,
    resolve_region,
)
from captionfill.imaging.masks import Mask, read_mask


@dataclass(frozen=True)
class Canvas:
    """A decoded picture, the region of it to fill, and what the networks will see of it."""

    picture: Picture
    region: Region
    window: bytes
    mask: Mask | None = None

    @classmethod
    def open(
        cls, image: bytes, region: str | None, max_pixels: int, mask: bytes | None = None
    ) -> "Canvas":
        """Decode and check a picture, and scale the window around its region.

        A mask says what to fill in the place of the region; an empty one is the picture's own.
        """
        picture = read_picture(image, max_pixels)
        shape = None if mask is None else read_mask(mask or None, picture, max_pixels)
        chosen = resolve_region(region, picture.size) if shape is None else shape.region
        cells = picture.tone.for_networks(extract_context(picture.rgb, Window.around(chosen)))
        return cls(picture, chosen, cells.tobytes(), shape)

    def complete(self, fills: bytes) -> list[bytes]:
        """The picture as PNG with each fill in its place."""
        return [write_png(self._fill(square)) for square in unpack_fills(fills)]

    def _fill(self, square: Pixels) -> Picture:
        levels = self.picture.tone.for_picture(square)
        filled = paste_fill(self.picture, self.region, levels)
        return self.mask.restore(self.picture, filled) if self.mask else filled


def unpack_fills(fills: bytes) -> NDArray[np.uint8]:
    """Fills as an array, `(N, 32, 32, 3)`."""
    return np.frombuffer(fills, np.uint8).reshape(-1, HOLE, HOLE, 3)
