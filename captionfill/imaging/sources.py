"""The forms in which an image can be given."""

from os import PathLike
from pathlib import Path

from PIL import Image

from captionfill.imaging.codec import Picture, convert_image, read_picture

ImageSource = bytes | str | PathLike[str] | Image.Image
"""An encoded PNG, JPEG or WebP; the path of one; or a Pillow image."""


def load_picture(source: ImageSource, max_pixels: int) -> Picture:
    """Decode and check an image.

    The EXIF orientation of an encoded image is applied. A Pillow image is taken as it is: call
    `PIL.ImageOps.exif_transpose` on it where its orientation matters.

    Raises:
        UnsupportedPicture, PictureTooLarge, PictureTooSmall: see `read_picture`.
        OSError: the file cannot be read.
    """
    if isinstance(source, Image.Image):
        return convert_image(source, max_pixels)
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    return read_picture(data, max_pixels)
