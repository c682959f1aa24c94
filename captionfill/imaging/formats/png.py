"""Walk the chunks of a PNG file (W3C PNG, third edition) up to its last."""

import struct
import zlib

from captionfill.imaging.formats import MAX_EXIF, MAX_PROFILE, PictureFile, too_many_parts

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_MAX_CHUNKS = 2**16
# Chunks that define what the pixel values mean, and how many bytes each has.
_COLOUR = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"cLLI": 8}
# Ancillary by name, but what is decoded depends on them.
_NEEDED = {b"tRNS", b"acTL", b"fcTL", b"fdAT"}


def parse_png(data: bytes) -> PictureFile:
    """Find the picture: its critical chunks, transparency, colour information, EXIF, animation.

    Texts and other metadata are dropped without being inflated, and so is whatever lies behind
    IEND. A missing IEND is added; whether all pixels are there is for the decoder to say.

    Raises:
        UnsupportedPicture: over 65,536 chunks.
    """
    kept, notes, seen = [SIGNATURE], [], set[bytes]()
    metadata: dict[bytes, bytes] = {}
    place, number = len(SIGNATURE), 0
    while place + 12 <= len(data):
        if (number := number + 1) > _MAX_CHUNKS:
            raise too_many_parts(_MAX_CHUNKS)
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if kind == b"IEND" or end > len(data):
            break
        chunk = data[place:end]
        if _is_needed(kind):
            kept.append(chunk)
        elif _is_read(kind, seen):
            # A decoder would refuse the picture for a chunk that is damaged.
            if (fault := _fault(kind, chunk[8:-4], chunk[-4:])) is None:
                kept.append(chunk)
                metadata[kind] = chunk
            elif kind != b"eXIf":
                notes.append(f"the {_name(kind)} was dropped: {fault}")
        seen.add(kind)
        place = end
    kept.append(_end(data[place:]))
    return PictureFile(
        b"".join(kept), colour=_colour(metadata), gamma=_gamma(metadata), notes=tuple(notes)
    )


def claimed_pixels(data: bytes) -> int | None:
    """Return width times height by the header of a PNG; None without a header."""
    if data[12:16] != b"IHDR" or len(data) < 24:
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return int(width * height)


def _end(rest: bytes) -> bytes:
    """IEND, or a chunk that is cut: with an end behind it, that would be read as more pixels."""
    kind = rest[4:8]
    return rest if len(kind) == 4 and kind != b"IEND" and _is_needed(kind) else _END


def _is_needed(kind: bytes) -> bool:
    """Whether what is decoded depends on a chunk: small first letters are metadata."""
    return kind in _NEEDED or not kind[0] & 0x20


def _is_read(kind: bytes, seen: set[bytes]) -> bool:
    """Whether a decoder reads this metadata: once, and colour only before the pixels."""
    if kind in seen:
        return False
    return kind == b"eXIf" or (kind in (*_COLOUR, b"iCCP") and b"IDAT" not in seen)


def _name(kind: bytes) -> str:
    return "colour profile" if kind == b"iCCP" else f"colour information in {kind.decode()}"


def _fault(kind: bytes, body: bytes, crc: bytes) -> str | None:
    """Why a chunk of metadata cannot be kept."""
    if zlib.crc32(kind + body).to_bytes(4, "big") != crc:
        return "it is damaged"
    if kind == b"iCCP":
        return _profile_fault(body)
    fits = len(body) == _COLOUR[kind] if kind in _COLOUR else len(body) <= MAX_EXIF
    return None if fits else "it is damaged"


def _profile_fault(body: bytes) -> str | None:
    _, _, packed = body.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        size = len(unpacker.decompress(packed[1:], MAX_PROFILE + 1))
    except zlib.error:
        return "it is damaged"
    if size > MAX_PROFILE:
        return f"it has over {MAX_PROFILE:,} bytes"
    return None if unpacker.eof else "it is damaged"


def _colour(chunks: dict[bytes, bytes]) -> bytes:
    """The chunks to put into the answer; a file has a profile or `sRGB`, not both."""
    excluded = {b"iCCP", b"eXIf"} | ({b"sRGB"} if b"iCCP" in chunks else set())
    return b"".join(chunk for kind, chunk in chunks.items() if kind not in excluded)


def _gamma(chunks: dict[bytes, bytes]) -> float | None:
    if b"gAMA" not in chunks or chunks.keys() & {b"iCCP", b"sRGB", b"cICP"}:
        return None
    return int.from_bytes(chunks[b"gAMA"][8:12], "big") / 100_000
