"""Bytes -> an upright picture, checked by content; and back to PNG."""

import struct
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from service.errors import PictureTooLarge, PictureTooSmall, UnsupportedPicture

Pixels = NDArray[np.uint8]

MIN_SIDE = 64
_FORMATS = ("PNG", "JPEG", "WEBP")
_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAX_PROFILE = 128 * 1024
# A progressive JPEG has about ten scans; thousands cost minutes of decoding in a small file.
_MAX_SCANS = 64


@dataclass(frozen=True)
class Picture:
    """An upright picture: RGB `(H, W, 3)`, alpha `(H, W)` and colour profile if any."""

    rgb: Pixels
    alpha: Pixels | None = None
    profile: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


def read_picture(data: bytes, max_pixels: int) -> Picture:
    """Decode a still 8-bit PNG, JPEG or WebP, and turn it as its EXIF says.

    Grey and palette pictures come out as RGB, without loss.

    Raises:
        UnsupportedPicture: another format, kind or depth, or broken data.
        PictureTooLarge: more than ``max_pixels``; found in the header, before decoding.
        PictureTooSmall: a side under 64 pixels.
    """
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            _check(image, data, max_pixels)
            image.load()
            upright = _UPRIGHT.get(_orientation(image))
            return _split(image if upright is None else image.transpose(upright))
    except (UnsupportedPicture, PictureTooLarge, PictureTooSmall):
        raise
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(f"at most {max_pixels:,} pixels are taken") from error
    except UnidentifiedImageError as error:
        raise UnsupportedPicture(
            "the content is not that of a PNG, JPEG or WebP picture; convert it to one of these"
        ) from error
    except Exception as error:  # a decoder may raise anything on hostile bytes
        raise UnsupportedPicture("the picture's data is broken or cut short") from error


def write_png(picture: Picture) -> bytes:
    """Encode as PNG, losslessly, with the colour profile and nothing else."""
    image = Image.fromarray(picture.rgb)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    out = BytesIO()
    image.save(out, "PNG", compress_level=3, icc_profile=picture.profile)
    return out.getvalue()


def _check(image: Image.Image, data: bytes, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PictureTooLarge(f"{width}×{height} is over the {max_pixels:,} pixels that are taken")
    if min(width, height) < MIN_SIDE:
        raise PictureTooSmall(f"{width}×{height}: each side must be at least {MIN_SIDE} pixels")
    # MPO is what phones write as JPEG: the photo first, a depth map or a preview after it.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise UnsupportedPicture("the picture is animated; send one frame of it")
    if image.mode not in _MODES or _is_deep_png(data):
        raise UnsupportedPicture(
            f"the picture is {_kind(image, data)}; convert it to 8-bit RGB, RGBA or grey"
        )
    if image.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > _MAX_SCANS:
        raise UnsupportedPicture("the JPEG has too many scans; save it anew as a baseline JPEG")


def _is_deep_png(data: bytes) -> bool:
    """Whether a PNG has 16 bits a channel, which Pillow would silently cut to 8."""
    return data.startswith(b"\x89PNG") and data[12:16] == b"IHDR" and data[24] == 16


def _kind(image: Image.Image, data: bytes) -> str:
    return "16 bits a channel" if _is_deep_png(data) else image.mode


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return 1  # broken EXIF in a good picture: take it as it lies


def _split(image: Image.Image) -> Picture:
    profile = _profile(image)
    if "A" not in image.mode and "transparency" not in image.info:
        return Picture(np.asarray(image.convert("RGB")), None, profile)
    pixels = np.asarray(image.convert("RGBA"))
    return Picture(pixels[..., :3], pixels[..., 3], profile)


def _profile(image: Image.Image) -> bytes | None:
    """The ICC profile, where it is small and one for RGB: a grey one would not fit the answer."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or len(profile) > _MAX_PROFILE:
        return None
    return profile if profile[16:20] == b"RGB " else None
