"""Conversion of picture files to small square PNGs, and their decoding."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from captionfill.imaging.codec import make_upright
from training.common.errors import PictureError

# Fast; a higher level saves few bytes.
PNG_LEVEL = 1
EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
XMP_NAMES = ("xmp", "XML:com.adobe.xmp")


def square_png(data: bytes, size: int) -> bytes:
    """Convert a picture: upright, RGB, short side scaled to `size`, centre-cropped.

    Args:
        data: a picture file; the first frame of an animation.
        size: side of the result in pixels.

    Raises:
        PictureError: damaged, no picture, too large, or not 8 bits a channel.
    """
    image = _decode(data)
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    if image.size != (size, size):
        box = (left, top, left + side, top + side)
        image = image.resize((size, size), Image.Resampling.LANCZOS, box=box)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def decode_png(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a prepared PNG, uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)))


def _decode(data: bytes) -> Image.Image:
    """Decode any format of Pillow; raise `PictureError` for every error of a decoder.

    Decoders raise OSError, ValueError and SyntaxError on purpose. On damaged files they raise
    almost anything: struct.error, RuntimeError, TypeError, KeyError, IndexError, OverflowError,
    EOFError, ZeroDivisionError, AttributeError, zlib.error, MemoryError and more.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of metadata that it skips; undecodable data is an error.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _upright_rgb(data)
    except PictureError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError("too many pixels") from error
    except UnidentifiedImageError as error:  # its message has the address of the buffer
        raise PictureError("cannot be decoded (not a known format)") from error
    except Exception as error:
        raise PictureError(f"cannot be decoded ({_reason(error)})") from error


def _upright_rgb(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        if image.mode not in EIGHT_BIT_MODES:
            raise PictureError(f"not 8 bits a channel (mode {image.mode})")
        for name in XMP_NAMES:  # browsers use the orientation of EXIF, not of XMP
            image.info.pop(name, None)
        image.load()
        return make_upright(image).convert("RGB")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:200] if text else type(error).__name__
