"""Tell a JPEG that lacks nothing but its end marker from one that is cut in its last scan."""

import zlib
from collections.abc import Iterator
from io import BytesIO

from PIL import Image

from service.errors import UnsupportedPicture
from service.jpeg_file import END

# What a decoder would take for the rest of the scan: zeros, ones, and a mixture.
_FILLERS = (b"\xff\0" * 512, b"\x5a\x93" * 512)
_ROWS = 256


def end_jpeg(data: bytes) -> bytes:
    """Put the missing end marker behind a JPEG whose scans are whole.

    Decoders fill what is missing of a scan without a word, so it is decoded with different bytes
    behind it: pixels that depend on them are not in the file.

    Args:
        data: ends with the data of a scan; its size has been checked.

    Raises:
        UnsupportedPicture: the last scan is cut short.
    """
    ended = data + END
    wanted = _checksum(ended)
    if any(_checksum(data + filler + END) != wanted for filler in _FILLERS):
        raise UnsupportedPicture("the JPEG is cut short: its last scan ends too early")
    return ended


def _checksum(data: bytes) -> int:
    """CRC-32 of the pixels, taken in strips so that they are held once."""
    checksum = 0
    with Image.open(BytesIO(data), formats=["JPEG"]) as image:
        for strip in _strips(image):
            checksum = zlib.crc32(strip, checksum)
    return checksum


def _strips(image: Image.Image) -> Iterator[bytes]:
    for top in range(0, image.height, _ROWS):
        yield image.crop((0, top, image.width, min(top + _ROWS, image.height))).tobytes()
