"""One picture file of any kind -> a small square PNG, and back to pixels."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training.errors import PictureError

# Fast to write and read; the bytes saved by a higher level are not worth the wait.
PNG_LEVEL = 1
EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})


def square_png(data: bytes, size: int) -> bytes:
    """The upright RGB picture, short side scaled to `size`, centre-cropped to a square.

    Args:
        data: the bytes of a picture file; of an animation, the first frame counts.
        size: side of the result in pixels.

    Raises:
        PictureError: damaged, no picture, too large, or not 8 bits a channel.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = _upright_rgb(data)
    except PictureError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError(f"cannot be decoded ({_reason(error)})") from error
    except Image.DecompressionBombWarning as error:
        raise PictureError("too many pixels") from error
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    if image.size != (size, size):
        box = (left, top, left + side, top + side)
        image = image.resize((size, size), Image.Resampling.LANCZOS, box=box)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def decode_png(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a prepared PNG, uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)))


def _upright_rgb(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    if image.mode not in EIGHT_BIT_MODES:
        raise PictureError(f"not 8 bits a channel (mode {image.mode})")
    return ImageOps.exif_transpose(image).convert("RGB")


def _reason(error: Exception) -> str:
    # Pillow's own line for unknown content quotes the address of the buffer.
    return "not a known format" if "cannot identify" in str(error) else str(error)
