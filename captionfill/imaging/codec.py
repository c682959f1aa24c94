"""Decode PNG, JPEG and WebP into upright 8-bit RGB, and encode PNG."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from captionfill.errors import (
    CaptionfillError,
    PictureTooLarge,
    PictureTooSmall,
    UnsupportedPicture,
)
from captionfill.imaging.colour import TransferFunction, to_rgb_profile
from captionfill.imaging.formats import jpeg, png
from captionfill.imaging.formats.base import PictureFile
from captionfill.imaging.formats.jpeg_end import check_ending
from captionfill.imaging.formats.webp import is_webp, parse_webp

log = logging.getLogger("captionfill.pictures")

Pixels = NDArray[np.uint8]

MIN_SIDE = 64
MAX_PIXELS = 40_000_000
_FORMATS = ("PNG", "JPEG", "WEBP")
_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}
_GREY = {"1", "L", "LA"}
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
_HEADER_END = 33  # of a PNG: behind the signature and IHDR


@dataclass(frozen=True)
class Picture:
    """A decoded image, upright.

    Attributes:
        rgb: uint8 `(H, W, 3)`.
        alpha: uint8 `(H, W)`, if any.
        profile: the ICC profile, if any.
        colour: other colour information, as PNG chunks (`gAMA`, `cHRM`, `sRGB`, `cICP`, …).
        transfer: how the levels are encoded.
        notes: what of the file is not in the picture, a sentence each.
    """

    rgb: Pixels
    alpha: Pixels | None = None
    profile: bytes | None = None
    colour: bytes = b""
    transfer: TransferFunction = TransferFunction()  # noqa: RUF009 - it cannot change
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


def read_picture(data: bytes, max_pixels: int) -> Picture:
    """Decode a still 8-bit PNG, JPEG or WebP, and apply its EXIF orientation.

    Grey and palette images are converted to RGB, without loss. Metadata other than EXIF and colour
    information is skipped, and so are bytes behind the end of the image.

    Raises:
        UnsupportedPicture: another format, kind or depth, or broken data.
        PictureTooLarge: more than ``max_pixels``; read from the header, before decoding.
        PictureTooSmall: a side under 64 pixels.
    """
    try:
        return _decode(_parse(data), max_pixels)
    except CaptionfillError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(f"at most {max_pixels:,} pixels are taken") from error
    except MemoryError as error:
        raise PictureTooLarge("the picture needs more memory than there is") from error
    except Exception as error:  # a decoder may raise anything on hostile bytes
        if _parser(data) is None:
            raise UnsupportedPicture(
                "the content is not that of a PNG, JPEG or WebP picture; convert it to one of these"
            ) from error
        log.info("picture not decoded", extra={"reason": f"{type(error).__name__}: {error}"[:200]})
        raise UnsupportedPicture("the picture's data is broken or cut short") from error


def strip_metadata(data: bytes) -> bytes:
    """Drop all bytes of a file that do not change its pixels, colours or orientation.

    These are metadata other than EXIF and colour information, and bytes behind the end of the
    image. Idempotent.

    Args:
        data: a file that `read_picture` can decode.
    """
    return _complete(_parse(data))


def write_png(picture: Picture) -> bytes:
    """Encode as PNG, with the colour information and no other metadata."""
    out = BytesIO()
    to_image(picture).save(out, "PNG", compress_level=3)
    written = out.getvalue()
    return written[:_HEADER_END] + picture.colour + written[_HEADER_END:]


def to_image(picture: Picture) -> Image.Image:
    """Convert to a Pillow image, RGB or RGBA, with the ICC profile."""
    image = Image.fromarray(picture.rgb)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    if picture.profile is not None:
        image.info["icc_profile"] = picture.profile
    return image


def convert_image(image: Image.Image, max_pixels: int) -> Picture:
    """Convert a Pillow image. Its EXIF orientation is not applied.

    Raises:
        UnsupportedPicture: a mode of more than 8 bits, or its file is broken.
        PictureTooLarge: more than ``max_pixels``.
        PictureTooSmall: a side under 64 pixels.
    """
    _check(image, b"", max_pixels)
    try:
        image.load()
    except Exception as error:
        raise UnsupportedPicture("the picture's data is broken or cut short") from error
    return _convert(image, PictureFile(b""))


def make_upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation. Browsers and viewers read no other metadata for it."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        turn = _UPRIGHT.get(int(exif.get(_ORIENTATION, 1)))
    except Exception:  # Pillow raises many kinds on broken EXIF, which is ignored
        return image
    return image if turn is None else image.transpose(turn)


def _parse(data: bytes) -> PictureFile:
    parser = _parser(data)
    return parser(data) if parser else PictureFile(data)


def _parser(data: bytes) -> Callable[[bytes], PictureFile] | None:
    """Return the parser of the file's format; None for an unknown format."""
    if data.startswith(png.SIGNATURE):
        return png.parse_png
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.parse_jpeg
    return parse_webp if is_webp(data) else None


def _complete(file: PictureFile) -> bytes:
    return file.data if file.complete else file.data + jpeg.END


def _decode(file: PictureFile, max_pixels: int) -> Picture:
    data = _complete(file)
    with Image.open(BytesIO(data), formats=_FORMATS) as image:
        _check(image, data, max_pixels)
        image.load()
        if not file.complete:
            check_ending(file.data, image)
        return _convert(make_upright(image), file)


def _check(image: Image.Image, data: bytes, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PictureTooLarge(f"{width}×{height} is over the {max_pixels:,} pixels that are taken")
    if min(width, height) < MIN_SIDE:
        raise PictureTooSmall(f"{width}×{height}: each side must be at least {MIN_SIDE} pixels")
    if getattr(image, "is_animated", False):
        raise UnsupportedPicture("the picture is animated; send one frame of it")
    if image.mode not in _MODES or _is_deep_png(data):
        raise UnsupportedPicture(
            f"the picture is {_kind(image, data)}; convert it to 8-bit RGB, RGBA or grey"
        )


def _is_deep_png(data: bytes) -> bool:
    """Whether a PNG has 16 bits per channel, which Pillow would silently reduce to 8."""
    return data.startswith(b"\x89PNG") and data[12:16] == b"IHDR" and data[24] == 16


def _kind(image: Image.Image, data: bytes) -> str:
    return "16 bits a channel" if _is_deep_png(data) else image.mode


def _convert(image: Image.Image, file: PictureFile) -> Picture:
    profile, note = None, None
    if found := image.info.get("icc_profile"):
        profile, note = to_rgb_profile(found, is_grey=image.mode in _GREY)
    notes = (*file.notes, note) if note else file.notes
    metadata = profile, file.colour, TransferFunction(None if profile else file.gamma), notes
    if "A" not in image.mode and "transparency" not in image.info:
        return Picture(np.asarray(image.convert("RGB")), None, *metadata)
    pixels = np.asarray(image.convert("RGBA"))
    return Picture(pixels[..., :3], pixels[..., 3], *metadata)
