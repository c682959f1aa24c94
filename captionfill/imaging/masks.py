"""Masks as image editors send them: the fully transparent part is what is to be filled."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from captionfill.errors import CaptionfillError, InvalidMask, InvalidRegion, PictureTooLarge
from captionfill.imaging.codec import Picture, Pixels, read_picture
from captionfill.imaging.geometry import MIN_REGION, Region, resolve_region


@dataclass(frozen=True)
class Mask:
    """What to fill of a picture.

    Attributes:
        region: the smallest region the service can fill that holds the whole hole.
        hole: `(region.height, region.width)`, true where the mask is fully transparent.
    """

    region: Region
    hole: NDArray[np.bool_]

    def restore(self, picture: Picture, filled: Picture) -> Picture:
        """A filled picture with all but the hole as it was, byte for byte.

        Args:
            picture: as it was uploaded.
            filled: the same with the whole region written.
        """
        x, y, width, height = self.region
        place = slice(y, y + height), slice(x, x + width)
        rgb = filled.rgb.copy()
        rgb[place] = np.where(self.hole[..., None], filled.rgb[place], picture.rgb[place])
        if picture.alpha is None or filled.alpha is None:
            return replace(filled, rgb=rgb)
        alpha = filled.alpha.copy()
        alpha[place] = np.where(self.hole, filled.alpha[place], picture.alpha[place])
        return replace(filled, rgb=rgb, alpha=alpha)


def read_mask(data: bytes | None, picture: Picture, max_pixels: int) -> Mask:
    """Find what a mask says to fill; where there is none, the picture's own alpha says it.

    Only a pixel whose alpha is zero is filled: a soft edge stays as it is. The window's hole is
    the square around them all, so the parts must lie together.

    Args:
        data: a picture of the same size with an alpha channel.
        picture: what is to be filled.
        max_pixels: as for any picture.

    Raises:
        InvalidMask: not such a picture, no transparent part, or one that is too large.
    """
    alpha = picture.alpha if data is None else _decode(data, picture.size, max_pixels)
    what = "no mask was sent: the image" if data is None else "the mask"
    if alpha is None:
        raise InvalidMask(f"{what} needs an alpha channel; its transparent pixels are filled")
    empty = alpha == 0
    if not empty.any():
        raise InvalidMask(f"{what} needs fully transparent pixels (alpha 0)")
    region = _surround(empty, picture.size)
    x, y, width, height = region
    return Mask(region, empty[y : y + height, x : x + width])


def _decode(data: bytes, size: tuple[int, int], max_pixels: int) -> Pixels | None:
    try:
        mask = read_picture(data, max_pixels)
    except PictureTooLarge:
        raise
    except CaptionfillError as error:
        raise InvalidMask(f"the mask cannot be read: {error}") from error
    if mask.size != size:
        raise InvalidMask(
            "the mask is {}×{} and the picture {}×{}; they must be of one size".format(
                *mask.size, *size
            )
        )
    return mask.alpha


def _surround(empty: NDArray[np.bool_], size: tuple[int, int]) -> Region:
    """The bounding box of the true cells, as a region the service can fill."""
    (x, width), (y, height) = (
        _span(np.flatnonzero(empty.any(axis)), length) for axis, length in enumerate(size)
    )
    try:
        return resolve_region(f"{x},{y},{width},{height}", size)
    except InvalidRegion as error:
        raise InvalidMask(
            f"the transparent part reaches over {width}×{height} pixels; {error}"
        ) from error


def _span(cells: NDArray[np.intp], length: int) -> tuple[int, int]:
    """Start and length from the first cell to the last, widened to what the service can fill."""
    start, extent = int(cells[0]), int(cells[-1] - cells[0]) + 1
    extent = max(extent, MIN_REGION)
    return min(start, length - extent), extent
