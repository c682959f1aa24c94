"""Walk the markers of a JPEG file (ITU T.81, annex B) up to its end marker."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

from captionfill.errors import UnsupportedPicture
from captionfill.imaging.formats import (
    MAX_PROFILE,
    PictureFile,
    profile_too_large,
    too_many_parts,
)

SIGNATURE = b"\xff\xd8\xff"
END = b"\xff\xd9"
# A progressive JPEG has about ten scans; thousands cost minutes of decoding in a small file.
MAX_SCANS = 64
_MAX_SEGMENTS = 4096
_EOI, _SOS = 0xD9, 0xDA
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_PROFILE = b"ICC_PROFILE\0"
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
# Entropy-coded data holds stuffed zeros and restart markers; any other marker ends it.
_SCAN_END = re.compile(rb"\xff(?![\x00\xd0-\xd7\xff])")
# Put behind a scan that may be cut: zeros and ones, and a mixture.
_FILLERS = (b"\xff\0" * 512, b"\x5a\x93" * 512)
_ROWS = 256


@dataclass
class _Scans:
    """The scans that were seen, and the coefficients `(component, number)` that none has."""

    progressive: bool = False
    count: int = 0
    missing: set[tuple[int, int]] = field(default_factory=set)

    def frame(self, marker: int, body: bytes) -> None:
        if body[:1] not in (b"\x08", b""):
            raise UnsupportedPicture(f"the JPEG has {body[0]} bits a channel; convert it to 8")
        if marker in _LOSSLESS:
            raise UnsupportedPicture("the JPEG is lossless; save it anew as a baseline JPEG")
        self.progressive = marker in _PROGRESSIVE
        coefficients = range(64 if self.progressive else 1)
        self.missing = {(one, at) for one in body[6::3] for at in coefficients}

    def scan(self, header: bytes) -> None:
        self.count += 1
        if self.count > MAX_SCANS:
            raise UnsupportedPicture("the JPEG has too many scans; save it anew as a baseline JPEG")
        number = header[0] if header else 0
        first, last, precision = (*header[1 + 2 * number :], 0, 0, 0)[:3]
        if self.progressive and precision & 15:
            return  # a later scan refines it
        for one in header[1 : 1 + 2 * number : 2]:
            self.missing -= {(one, at) for at in range(first, last + 1 if self.progressive else 1)}


def parse_jpeg(data: bytes) -> PictureFile:
    """Find the picture: its tables, frame and scans, EXIF, profile and colour transform.

    Segments of makers and whatever lies behind the end marker are dropped.

    Raises:
        UnsupportedPicture: over 64 scans, over 4,096 segments, a kind that no browser shows, or
            it ends before its last scan.
    """
    scans, kept, profile = _Scans(), [data[:2]], 0
    has_exif = complete = False
    for marker, part, body in _segments(data):
        if marker in _FRAMES:
            scans.frame(marker, body)
        elif marker == _SOS:
            scans.scan(body)
        elif marker == _APP1 and body.startswith(b"Exif\0\0") and not has_exif:
            has_exif = True
        elif marker == _APP2 and body.startswith(_PROFILE):
            profile += len(body) - len(_PROFILE) - 2
            if profile > MAX_PROFILE:
                continue
        elif marker == _EOI:
            complete = True
        elif _is_metadata(marker, body):
            continue
        kept.append(part)
    if not complete and (scans.missing or not scans.count):
        raise UnsupportedPicture("the JPEG is cut short: it ends before its last scan")
    notes: tuple[str, ...] = ()
    if profile > MAX_PROFILE:
        notes = (profile_too_large(profile),)
        kept = [part for part in kept if not part.startswith(_PROFILE, 4)]
    return PictureFile(b"".join(kept), complete, notes=notes)


def check_ending(data: bytes, decoded: Image.Image) -> None:
    """Check that the scans of a JPEG without an end marker are whole.

    Decoders silently fill what is missing of a scan, so it is decoded with different bytes behind
    it: pixels that depend on them are not in the file.

    Args:
        data: ends with the data of a scan.
        decoded: the same with an end marker behind it.

    Raises:
        UnsupportedPicture: the last scan is cut short.
    """
    wanted = _checksum(decoded)
    for filler in _FILLERS:
        with Image.open(BytesIO(data + filler + END), formats=["JPEG"]) as image:
            if _checksum(image) != wanted:
                raise UnsupportedPicture("the JPEG is cut short: its last scan ends too early")


def _segments(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each marker, its bytes with the scan behind it, and the body of its segment."""
    place, number = 2, 0
    while found := _MARKER.search(data, place):
        if (number := number + 1) > _MAX_SEGMENTS:
            raise too_many_parts(_MAX_SEGMENTS)
        marker, place = data[found.end() - 1], found.end()
        if marker in _STANDALONE:
            continue
        if marker == _EOI:
            yield marker, END, b""
            return
        stop = place + int.from_bytes(data[place : place + 2], "big")
        if stop < place + 2 or stop > len(data):
            return
        body, end = data[place + 2 : stop], stop
        if marker == _SOS:
            after = _SCAN_END.search(data, stop)
            end = after.start() if after else len(data.rstrip(b"\xff"))
        yield marker, data[found.start() : end], body
        place = end


def _is_metadata(marker: int, body: bytes) -> bool:
    if marker == _APP0:
        return not body.startswith(b"JFIF\0")
    if marker == _APP14:
        return not body.startswith(b"Adobe")
    return _APP0 < marker <= _APP15 or marker == _COM


def _checksum(image: Image.Image) -> int:
    """CRC-32 of the pixels, taken in strips so that they are held once."""
    checksum = 0
    for top in range(0, image.height, _ROWS):
        strip = image.crop((0, top, image.width, min(top + _ROWS, image.height)))
        checksum = zlib.crc32(strip.tobytes(), checksum)
    return checksum
