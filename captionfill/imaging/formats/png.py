"""Walk the chunks of a PNG file (W3C PNG, third edition) up to its last."""

import struct
import zlib
from dataclasses import dataclass, field

from captionfill.imaging.formats.base import (
    MAX_EXIF,
    MAX_PROFILE,
    PictureFile,
    check_parts,
    profile_too_large,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_MAX_CHUNKS = 2**16
# Chunks that say what the pixel values mean, and how many bytes each has.
_COLOUR = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"cLLI": 8}
# Ancillary by name, but what is decoded depends on them.
_NEEDED = {b"tRNS", b"acTL", b"fcTL", b"fdAT"}


@dataclass
class _Found:
    kept: list[bytes] = field(default_factory=list)
    colour: dict[bytes, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)

    def add(self, kind: bytes, chunk: bytes) -> None:
        if _is_needed(kind):
            self.kept.append(chunk)
        elif kind in (*_COLOUR, b"iCCP", b"eXIf") and kind not in self.seen:
            self._add_ancillary(kind, chunk)
        self.seen.add(kind)

    def _add_ancillary(self, kind: bytes, chunk: bytes) -> None:
        """Keep a chunk that is whole; a decoder would refuse the picture for one that is not."""
        if b"IDAT" in self.seen and kind != b"eXIf":
            return  # out of place: decoders ignore it
        note = _fault(kind, chunk[8:-4], chunk[-4:])
        if note is None:
            self.kept.append(chunk)
            self.colour[kind] = chunk
        elif kind != b"eXIf":
            self.notes.append(note)


def parse_png(data: bytes) -> PictureFile:
    """Find the picture: its critical chunks, transparency, colour information, EXIF, animation.

    Texts and other metadata are dropped without being inflated, and so is whatever lies behind
    IEND. A missing IEND is put there; whether all pixels are there is for the decoder to say.

    Raises:
        UnsupportedPicture: over 65,536 chunks.
    """
    found, place, number = _Found(), len(SIGNATURE), 0
    while place + 12 <= len(data):
        check_parts(number := number + 1, _MAX_CHUNKS)
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if kind == b"IEND" or end > len(data):
            break
        found.add(kind, data[place:end])
        place = end
    return PictureFile(
        SIGNATURE + b"".join(found.kept) + _end(data[place:]),
        colour=_colour(found.colour),
        gamma=_gamma(found.colour),
        notes=tuple(found.notes),
    )


def _end(rest: bytes) -> bytes:
    """IEND, or a chunk that is cut: with an end behind it, that would be read as more pixels."""
    kind = rest[4:8]
    if kind == b"IEND" or len(kind) < 4:
        return _END
    return rest if _is_needed(kind) else _END


def _is_needed(kind: bytes) -> bool:
    """Whether what is decoded depends on a chunk: small first letters are metadata."""
    return kind in _NEEDED or not kind[0] & 0x20


def _fault(kind: bytes, body: bytes, crc: bytes) -> str | None:
    """Why an ancillary chunk cannot be kept."""
    name = "colour profile" if kind == b"iCCP" else f"colour information in {kind.decode()}"
    if zlib.crc32(kind + body).to_bytes(4, "big") != crc:
        return f"the {name} was dropped: it is damaged"
    if kind == b"iCCP":
        return _profile_fault(body)
    size = _COLOUR.get(kind)
    if (size is not None and len(body) != size) or len(body) > MAX_EXIF:
        return f"the {name} was dropped: it is damaged"
    return None


def _profile_fault(body: bytes) -> str | None:
    _, _, packed = body.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        size = len(unpacker.decompress(packed[1:], MAX_PROFILE + 1))
    except zlib.error:
        return "the colour profile was dropped: it is damaged"
    if size > MAX_PROFILE:
        return profile_too_large()
    return None if unpacker.eof else "the colour profile was dropped: it is damaged"


def _colour(chunks: dict[bytes, bytes]) -> bytes:
    """The chunks to put into the answer; a file has a profile or `sRGB`, not both."""
    excluded = {b"iCCP", b"eXIf"} | ({b"sRGB"} if b"iCCP" in chunks else set())
    return b"".join(chunk for kind, chunk in chunks.items() if kind not in excluded)


def _gamma(chunks: dict[bytes, bytes]) -> float | None:
    if b"gAMA" not in chunks or chunks.keys() & {b"iCCP", b"sRGB", b"cICP"}:
        return None
    return int.from_bytes(chunks[b"gAMA"][8:12], "big") / 100_000
