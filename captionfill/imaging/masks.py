"""Masks: the fully transparent part of an image is filled."""

import numpy as np
from numpy.typing import NDArray

from captionfill.errors import CaptionfillError, InvalidMask, PictureTooLarge
from captionfill.imaging.codec import ImageSource, Picture, Pixels, load_picture

Mask = NDArray[np.bool_]


def read_mask(source: ImageSource | None, picture: Picture, max_pixels: int) -> Mask:
    """Read which pixels of an image to fill: those of alpha 0. A soft edge is left unchanged.

    Args:
        source: an image of the same size with an alpha channel; None for the picture's own.
        picture: to fill.
        max_pixels: limit for the mask.

    Returns:
        bool `(H, W)`, true in at least one place.

    Raises:
        InvalidMask: not such an image, or no transparent part.
        PictureTooLarge: more than ``max_pixels``.
    """
    alpha = picture.alpha if source is None else _decode(source, picture.size, max_pixels)
    what = "no mask was sent: the image" if source is None else "the mask"
    if alpha is None:
        raise InvalidMask(f"{what} needs an alpha channel; its transparent pixels are filled")
    if alpha.all():
        raise InvalidMask(f"{what} needs fully transparent pixels (alpha 0)")
    return np.equal(alpha, 0)


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
