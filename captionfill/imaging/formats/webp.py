"""Walk the chunks of a WebP file (RFC 9649) up to the end of its RIFF container."""

import struct
from collections.abc import Iterator

from captionfill.imaging.formats import (
    MAX_EXIF,
    MAX_PROFILE,
    PictureFile,
    profile_too_large,
    too_many_parts,
)

_MAX_CHUNKS = 2**14
_PIXELS = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}
_LIMITS = {b"ICCP": MAX_PROFILE, b"EXIF": MAX_EXIF}
_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}


def is_webp(data: bytes) -> bool:
    """Whether the bytes begin as a WebP file does."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def parse_webp(data: bytes) -> PictureFile:
    """Find the picture: pixels, alpha, animation, EXIF and profile.

    XMP, unknown chunks and whatever lies behind the container are dropped.

    Raises:
        UnsupportedPicture: over 16,384 chunks.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        return PictureFile(data)  # cut short: the decoder says so
    parts: list[tuple[bytes, bytes]] = []
    notes: tuple[str, ...] = ()
    for kind, body, size in _chunks(data[12:end]):
        if len(body) < size:
            return PictureFile(data[:end])  # as is, for the decoder to refuse
        if kind in _PIXELS or (kind in _LIMITS and len(body) <= _LIMITS[kind]):
            parts.append((kind, body))
        elif kind == b"ICCP":
            notes += (profile_too_large(len(body)),)
    kept = {kind for kind, _ in parts}
    joined = b"".join(_chunk(kind, _clear_flags(kind, body, kept)) for kind, body in parts)
    return PictureFile(b"RIFF" + struct.pack("<I", 4 + len(joined)) + b"WEBP" + joined, notes=notes)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    place, number = 0, 0
    while place + 8 <= len(data):
        if (number := number + 1) > _MAX_CHUNKS:
            raise too_many_parts(_MAX_CHUNKS)
        kind, size = struct.unpack_from("<4sI", data, place)
        yield kind, data[place + 8 : place + 8 + size], size
        place += 8 + size + size % 2


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _clear_flags(kind: bytes, body: bytes, kept: set[bytes]) -> bytes:
    """Clear the flags of the header for metadata that was dropped."""
    if kind != b"VP8X" or not body:
        return body
    dropped = sum(flag for name, flag in _FLAGS.items() if name not in kept)
    return bytes([body[0] & ~dropped]) + body[1:]
