"""Tell a JPEG that lacks nothing but its end marker from one that is cut in its last scan."""

import zlib
from io import BytesIO

from PIL import Image

from captionfill.errors import UnsupportedPicture
from captionfill.imaging.formats.jpeg import END

# What a decoder would take for the rest of the scan: zeros, ones, and a mixture.
_FILLERS = (b"\xff\0" * 512, b"\x5a\x93" * 512)
_ROWS = 256


def check_ending(data: bytes, decoded: Image.Image) -> None:
    """Check that the scans of a JPEG without an end marker are whole.

    Decoders fill what is missing of a scan without a word, so it is decoded with different bytes
    behind it: pixels that depend on them are not in the file.

    Args:
        data: ends with the data of a scan.
        decoded: the same with an end marker put behind it.

    Raises:
        UnsupportedPicture: the last scan is cut short.
    """
    wanted = _checksum(decoded)
    for filler in _FILLERS:
        with Image.open(BytesIO(data + filler + END), formats=["JPEG"]) as image:
            if _checksum(image) != wanted:
                raise UnsupportedPicture("the JPEG is cut short: its last scan ends too early")


def _checksum(image: Image.Image) -> int:
    """CRC-32 of the pixels, taken in strips so that they are held once."""
    checksum = 0
    for top in range(0, image.height, _ROWS):
        strip = image.crop((0, top, image.width, min(top + _ROWS, image.height)))
        checksum = zlib.crc32(strip.tobytes(), checksum)
    return checksum
