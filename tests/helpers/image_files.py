"""Picture files put together by hand, from chunks and segments that no encoder would write."""

import struct
import zlib

JPEG_END = b"\xff\xd9"


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(width=64, height=64, depth=8, colour=2, rows=None, extra=b""):
    """A PNG, black unless told otherwise, with more chunks before its pixels."""
    rows = (b"\0" + bytes(width * 3)) * height if rows is None else rows
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    end = png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + extra + end


def compressed_chunk(kind, size):
    """A chunk of metadata that inflates to so many bytes."""
    return png_chunk(kind, b"name\0\0" + zlib.compress(bytes(size), 9))


def jpeg_segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(jpeg, *segments):
    """A JPEG with more segments right behind its first marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def webp_chunk(kind, body):
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def with_webp_chunks(webp, *chunks):
    """A WebP with more chunks behind its own."""
    body = webp[8:] + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def icc_profile(space=b"RGB ", tags=None, connection=b"XYZ "):
    """An ICC profile with these tags, of any colour space."""
    tags = tags or {}
    body, table = b"", struct.pack(">I", len(tags))
    for name, value in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    size = struct.pack(">I", 132 + 12 * len(tags) - 4 + len(body) + 4)
    head = size + b"lcms\x02\x40\0\0mntr" + space + connection + bytes(12) + b"acsp" + bytes(28)
    return head + struct.pack(">3i", 63190, 65536, 54061) + bytes(48) + table + body


def grey_icc_profile(gamma, connection=b"XYZ "):
    """A profile for grey whose tone curve is a power."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(78)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": white, b"kTRC": curve}
    return icc_profile(b"GRAY", tags, connection)
