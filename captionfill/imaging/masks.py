"""Masks: the fully transparent part of an image is filled."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from captionfill.errors import CaptionfillError, InvalidMask, InvalidRegion, PictureTooLarge
from captionfill.imaging.codec import Picture, Pixels
from captionfill.imaging.geometry import MIN_REGION, Region, resolve_region
from captionfill.imaging.sources import ImageSource, load_picture


@dataclass(frozen=True)
class Mask:
    """Which pixels of an image to fill.

    Attributes:
        region: the bounding box of the hole, widened to the least size of a region.
        hole: bool `(region.height, region.width)`, true where the mask is fully transparent.
    """

    region: Region
    hole: NDArray[np.bool_]

    def restore(self, picture: Picture, filled: Picture) -> Picture:
        """Return the filled image with every pixel outside of the hole restored.

        Args:
            picture: the input.
            filled: the input with the whole region written.
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


def read_mask(source: ImageSource | None, picture: Picture, max_pixels: int) -> Mask:
    """Read a mask.

    Only pixels of alpha 0 are filled: a soft edge is left unchanged. They must all lie within one
    square, since the hole of the window is the square around them.

    Args:
        source: an image of the same size with an alpha channel; None for the picture's own.
        picture: to fill.
        max_pixels: limit for the mask.

    Raises:
        InvalidMask: not such an image, no transparent part, or one that is too large.
        PictureTooLarge: more than ``max_pixels``.
    """
    alpha = picture.alpha if source is None else _decode(source, picture.size, max_pixels)
    what = "no mask was sent: the image" if source is None else "the mask"
    if alpha is None:
        raise InvalidMask(f"{what} needs an alpha channel; its transparent pixels are filled")
    empty = alpha == 0
    if not empty.any():
        raise InvalidMask(f"{what} needs fully transparent pixels (alpha 0)")
    region = _surround(empty, picture.size)
    x, y, width, height = region
    return Mask(region, empty[y : y + height, x : x + width])


def _decode(source: ImageSource, size: tuple[int, int], max_pixels: int) -> Pixels | None:
    try:
        mask = load_picture(source, max_pixels)
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
    """Return the bounding box of the true cells as a region."""
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
    """Return start and length from the first cell to the last, widened to the least region."""
    start, extent = int(cells[0]), int(cells[-1] - cells[0]) + 1
    extent = max(extent, MIN_REGION)
    return min(start, length - extent), extent
