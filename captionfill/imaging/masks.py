"""Masks: which pixels of an image to fill, as white on black or as transparency."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from captionfill.errors import CaptionfillError, InvalidMask, PictureTooLarge
from captionfill.imaging.codec import ImageSource, Picture, load_picture, to_image

Mask = NDArray[np.bool_]
# Levels from here on are white, as in diffusers.
_WHITE = 128
_INVERTED = (
    "the mask looks inverted: it fills most of the picture's border. White pixels are filled, or "
    "the transparent ones where the mask has any"
)


def read_mask(source: ImageSource | None, picture: Picture, max_pixels: int) -> Mask:
    """Read which pixels of an image to fill.

    In a mask with transparency these are the pixels of alpha 0 (as in OpenAI's API; a soft edge is
    left unchanged), else those of at least half the brightness of white (as in diffusers).

    Args:
        source: an image of the same size, or an array `(H, W)` of bool or uint8; None for the
            picture's own transparency.
        picture: to fill.
        max_pixels: limit for the mask.

    Returns:
        bool `(H, W)`, true in at least one place, and in at most half of the border.

    Raises:
        InvalidMask: no such image, another size, nothing to fill, or most of the border.
        PictureTooLarge: more than ``max_pixels``.
    """
    hole = _of_picture(picture) if source is None else _of_file(source, picture.size, max_pixels)
    border = np.concatenate([hole[0], hole[-1], hole[1:-1, 0], hole[1:-1, -1]])
    if 2 * np.count_nonzero(border) > border.size:
        raise InvalidMask(_INVERTED)
    return hole


def _of_picture(picture: Picture) -> Mask:
    if picture.alpha is None:
        raise InvalidMask(
            "no mask was sent: the image needs an alpha channel; its transparent pixels are filled"
        )
    if picture.alpha.all():
        raise InvalidMask("no mask was sent: the image needs fully transparent pixels (alpha 0)")
    return np.equal(picture.alpha, 0)


def _of_file(source: ImageSource, size: tuple[int, int], max_pixels: int) -> Mask:
    mask = _decode(source, size, max_pixels)
    if mask.alpha is not None and (mask.alpha < 255).any():
        if mask.alpha.all():
            raise InvalidMask(
                "the mask is empty: it has no fully transparent pixel (alpha 0), and no others "
                "are filled"
            )
        return np.equal(mask.alpha, 0)
    hole = np.asarray(to_image(mask).convert("L")) >= _WHITE
    if not hole.any():
        raise InvalidMask("the mask is empty: white or transparent pixels are filled, it has none")
    return hole


def _decode(source: ImageSource, size: tuple[int, int], max_pixels: int) -> Picture:
    if isinstance(source, np.ndarray) and source.ndim == 2 and source.dtype in (bool, np.uint8):
        source = Image.fromarray(source)
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
    return mask
