"""One picture file of any kind -> a small square PNG, and back to pixels."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from training.common.errors import PictureError

# Fast to write and read; the bytes saved by a higher level are not worth the wait.
PNG_LEVEL = 1
EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
XMP_NAMES = ("xmp", "XML:com.adobe.xmp")
ORIENTATION = 0x0112
# What puts a picture upright, by the orientation that EXIF says.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def square_png(data: bytes, size: int) -> bytes:
    """The upright RGB picture, short side scaled to `size`, centre-cropped to a square.

    Args:
        data: the bytes of a picture file; of an animation, the first frame counts.
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
    """The pixels of a prepared PNG, uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)))


def _decode(data: bytes) -> Image.Image:
    """Decode with every format that Pillow has; whatever a decoder raises is a `PictureError`.

    They raise what they come upon: OSError, ValueError and SyntaxError by intention, and on damaged
    files struct.error, RuntimeError, TypeError, KeyError, IndexError, OverflowError, EOFError,
    ZeroDivisionError, AttributeError, zlib.error, MemoryError and more.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of metadata that it passes over; what cannot be decoded is an error.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _upright_rgb(data)
    except PictureError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError("too many pixels") from error
    except UnidentifiedImageError as error:  # its own text quotes the address of the buffer
        raise PictureError("cannot be decoded (not a known format)") from error
    except Exception as error:
        raise PictureError(f"cannot be decoded ({_reason(error)})") from error


def _upright_rgb(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        if image.mode not in EIGHT_BIT_MODES:
            raise PictureError(f"not 8 bits a channel (mode {image.mode})")
        for name in XMP_NAMES:  # browsers and viewers turn a picture as its EXIF says, not its XMP
            image.info.pop(name, None)
        image.load()
        turn = TURNS.get(_orientation(image))
        return (image if turn is None else image.transpose(turn)).convert("RGB")


def _orientation(image: Image.Image) -> int:
    """The orientation that EXIF says; 1, upright, where there is none or it cannot be read."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return int(exif.get(ORIENTATION, 1))
    except Exception:  # odd EXIF does not spoil a picture
        return 1


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:200] if text else type(error).__name__
