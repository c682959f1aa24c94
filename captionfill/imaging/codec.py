"""Decode PNG, JPEG and WebP into upright 8-bit RGB, and encode PNG."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from captionfill.errors import (
    CaptionfillError,
    PictureTooLarge,
    PictureTooSmall,
    UnsupportedPicture,
)
from captionfill.imaging.formats import PictureFile, jpeg, png
from captionfill.imaging.formats.webp import is_webp, parse_webp
from captionfill.imaging.icc_profile import to_rgb_profile
from captionfill.imaging.png_writer import encode_png

log = logging.getLogger("captionfill.pictures")

Pixels = NDArray[np.uint8]
ImageSource = bytes | str | PathLike[str] | Image.Image | Pixels
"""An encoded PNG, JPEG or WebP; the path of one; a Pillow image; or uint8 `(H, W, 3)`."""

MIN_SIDE = 64
MAX_PIXELS = 40_000_000
_FORMATS: tuple[str, ...] = ("PNG", "JPEG", "WEBP", "AVIF", "GIF")
# Brands of HEIC files, which Pillow opens where pillow-heif is installed.
_HEIC = re.compile(rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)
_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16"}
_GREY = {"1", "L", "LA", "I;16"}
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
_SRGB_GAMMA = 1 / 2.2  # the exponent of sRGB's encoding, approximately


@dataclass(frozen=True)
class Picture:
    """A decoded image, upright.

    Attributes:
        rgb: uint8 `(H, W, 3)`.
        alpha: uint8 `(H, W)`, if any.
        profile: the ICC profile, if any.
        colour: other colour information, as PNG chunks (`gAMA`, `cHRM`, `sRGB`, `cICP`, …).
        gamma: exponent of the levels' encoding; None for sRGB.
        notes: what of the file is not in the picture, a sentence each.
    """

    rgb: Pixels
    alpha: Pixels | None = None
    profile: bytes | None = None
    colour: bytes = b""
    gamma: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    @property
    def to_srgb(self) -> float:
        """The power of the levels that is sRGB; 1 for sRGB itself and for a gamma beyond 0.2 to 3.

        The networks were trained on sRGB.
        """
        if self.gamma is None or not 0.2 <= self.gamma <= 3:
            return 1.0
        power = _SRGB_GAMMA / self.gamma
        return 1.0 if abs(power - 1) < 0.05 else power


def load_picture(source: ImageSource, max_pixels: int) -> Picture:
    """Decode and check an image.

    The EXIF orientation of an encoded image is applied. A Pillow image is taken as it is: call
    `PIL.ImageOps.exif_transpose` on it where its orientation matters.

    Raises:
        UnsupportedPicture, PictureTooLarge, PictureTooSmall: see `read_picture`.
        OSError: the file cannot be read.
    """
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
            raise UnsupportedPicture(
                f"an array must be uint8 of shape (H, W, 3), not {source.dtype} of {source.shape}"
            )
        source = Image.fromarray(source)
    if not isinstance(source, Image.Image):
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        return read_picture(data, max_pixels)
    _check(source, max_pixels)
    try:
        source.load()
    except Exception as error:
        raise UnsupportedPicture("the picture's data is broken or cut short") from error
    return _convert(source, PictureFile(b"", notes=tuple(_losses(source, b""))))


def read_picture(data: bytes, max_pixels: int) -> Picture:
    """Decode a still PNG, JPEG, WebP, AVIF or HEIC or a GIF's first frame, upright by its EXIF.

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
        if _parser(data) is PictureFile:
            raise UnsupportedPicture(
                "the content is not that of a PNG, JPEG, WebP, AVIF or GIF picture; convert it to "
                "one of these"
            ) from error
        log.info("picture not decoded", extra={"reason": f"{type(error).__name__}: {error}"[:200]})
        raise UnsupportedPicture("the picture's data is broken or cut short") from error


def peek_pixels(data: bytes) -> int | None:
    """Return the pixels that a PNG, JPEG or WebP claims to have; None where that is not plain.

    Nothing is decoded, inflated or checked: `read_picture` may refuse the image all the same.
    """
    if data.startswith(png.SIGNATURE):
        return png.claimed_pixels(data)
    try:
        with Image.open(BytesIO(data), formats=("JPEG", "WEBP")) as image:
            return image.width * image.height
    except Exception:  # a decoder may raise anything on hostile bytes
        return None


def strip_metadata(data: bytes) -> bytes:
    """Drop all bytes of a decodable file that do not change its pixels, colours or orientation.

    These are metadata other than EXIF and colour information, and bytes behind the end of the
    image. Idempotent.
    """
    return _complete(_parse(data))


def write_png(picture: Picture) -> bytes:
    """Encode as PNG, with the colour information and no other metadata."""
    pixels = picture.rgb
    if picture.alpha is not None:
        pixels = np.dstack((pixels, picture.alpha))
    return encode_png(pixels, picture.profile, picture.colour)


def to_image(picture: Picture) -> Image.Image:
    """Convert to a Pillow image, RGB or RGBA, with the ICC profile."""
    image = Image.fromarray(picture.rgb)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    if picture.profile is not None:
        image.info["icc_profile"] = picture.profile
    return image


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
    return _parser(data)(data)


def _parser(data: bytes) -> Callable[[bytes], PictureFile]:
    """Return the parser of the file's format; an unknown format is left to the decoder."""
    if data.startswith(png.SIGNATURE):
        return png.parse_png
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.parse_jpeg
    return parse_webp if is_webp(data) else PictureFile


def _complete(file: PictureFile) -> bytes:
    return file.data if file.complete else file.data + jpeg.END


def _decode(file: PictureFile, max_pixels: int) -> Picture:
    data = _complete(file)
    formats = _FORMATS
    if _HEIC.match(data):
        _register_heic()
        formats = ("HEIF", *formats)
    with Image.open(BytesIO(data), formats=formats) as image:
        _check(image, max_pixels)
        file = replace(file, notes=(*file.notes, *_losses(image, data)))
        image.load()
        if not file.complete:
            jpeg.check_ending(file.data, image)
        return _convert(make_upright(image), file)


def _register_heic() -> None:
    try:
        import pillow_heif  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UnsupportedPicture(
            "a HEIC picture needs the package pillow-heif (pip install captionfill[heic]); "
            "convert it to JPEG"
        ) from error
    pillow_heif.register_heif_opener()


def _losses(image: Image.Image, data: bytes) -> list[str]:
    """What of a picture is lost in 8-bit RGB, a sentence each."""
    notes = []
    if image.format == "GIF" and getattr(image, "is_animated", False):
        notes.append("the picture is animated: its first frame was taken")
    if image.mode == "CMYK":
        notes.append("the picture was converted from CMYK to RGB without a colour profile")
    # Of 16 bits per channel, Pillow keeps the upper 8.
    is_deep = data.startswith(b"\x89PNG") and data[12:16] == b"IHDR" and data[24] == 16
    if is_deep or image.mode == "I;16":
        notes.append("the picture was converted from 16 to 8 bits a channel")
    return notes


def _check(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PictureTooLarge(f"{width}×{height} is over the {max_pixels:,} pixels that are taken")
    if min(width, height) < MIN_SIDE:
        raise PictureTooSmall(f"{width}×{height}: each side must be at least {MIN_SIDE} pixels")
    if image.format != "GIF" and getattr(image, "is_animated", False):
        raise UnsupportedPicture("the picture is animated; send one frame of it")
    if image.mode not in _MODES:
        raise UnsupportedPicture(
            f"the picture is {image.mode}; convert it to 8-bit RGB, RGBA or grey"
        )


def _convert(image: Image.Image, file: PictureFile) -> Picture:
    profile, note = None, None
    if found := image.info.get("icc_profile"):
        profile, note = to_rgb_profile(found, is_grey=image.mode in _GREY)
    notes = (*file.notes, note) if note else file.notes
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    metadata = profile, file.colour, None if profile else file.gamma, notes
    if "A" not in image.mode and "transparency" not in image.info:
        return Picture(np.asarray(image.convert("RGB")), None, *metadata)
    pixels = np.asarray(image.convert("RGBA"))
    return Picture(pixels[..., :3], pixels[..., 3], *metadata)
