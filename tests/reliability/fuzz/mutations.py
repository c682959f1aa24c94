"""Mutations of files: of random bytes, and of the chunks of their format."""

import random
import struct
import zlib
from collections.abc import Callable, Sequence

PNG = b"\x89PNG\r\n\x1a\n"
MOST_BYTES = 512 * 1024
_NUMBERS = [
    *(bytes([n]) for n in (0, 1, 2, 4, 8, 16, 63, 127, 128, 255)),
    *(n.to_bytes(2, order) for n in (0, 1, 255, 256, 32767, 65535) for order in ("big", "little")),
    *(
        n.to_bytes(4, order)
        for n in (0, 1, 16384, 65536, 2**31 - 1, 2**31, 2**32 - 1)
        for order in ("big", "little")
    ),
]

Mutation = Callable[[bytes, bytes, random.Random], bytes]


def mutate(data: bytes, other: bytes, rng: random.Random) -> tuple[bytes, list[str]]:
    """Break a file in one to three ways.

    Args:
        data: the file.
        other: another one, which pieces may be taken from.
        rng: decides everything.

    Returns:
        What came of it, and the names of the ways.
    """
    names = rng.choices(list(MUTATIONS), k=rng.choice((1, 1, 2, 3)))
    for name in names:
        data = MUTATIONS[name](data or b"\0", other, rng)[:MOST_BYTES]
    return data, names


def flip_bits(data: bytes, other: bytes, rng: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def write_numbers(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Write numbers that programs stumble over; headers are hit more often than the rest."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        number = rng.choice(_NUMBERS)
        at = rng.randrange(min(len(data), rng.choice((64, 512, MOST_BYTES))))
        data = data[:at] + number + data[at + len(number) :]
    return data


def cut_short(data: bytes, _: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def leave_out(data: bytes, _: bytes, rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[end:]


def repeat(data: bytes, _: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    end = start + rng.randrange(1, 512)
    return data[:start] + data[start:end] * rng.choice((2, 16, 256)) + data[end:]


def splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other) or 1) :]


def rearrange(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Leave out, double, swap or borrow whole pieces; a PNG's check sums are made right again."""
    pieces = split(data)
    at, to = rng.randrange(len(pieces)), rng.randrange(len(pieces))
    way = rng.choice(("drop", "double", "many", "swap", "borrow"))
    if way == "drop":
        del pieces[at]
    elif way == "swap":
        pieces[at], pieces[to] = pieces[to], pieces[at]
    elif way == "borrow":
        pieces.insert(at, rng.choice(split(other)))
    else:
        pieces[to:to] = [pieces[at]] * (1 if way == "double" else rng.choice((50, 300)))
    return b"".join(map(mend, pieces))


def break_piece(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Break one piece inside, and hide it: check sums are made right, packed data packed again."""
    pieces = split(data)
    at = rng.randrange(len(pieces))
    within = rng.choice((flip_bits, write_numbers))
    unpacked = _unpack(pieces[at])
    if unpacked:
        pieces[at] = _chunk(b"IDAT", zlib.compress(within(unpacked, other, rng), 1))
    elif pieces[at]:
        pieces[at] = within(pieces[at], other, rng)
    return b"".join(map(mend, pieces))


def split(data: bytes) -> list[bytes]:
    """The pieces of a file as far as they can be told; joined, they are the file."""
    if data.startswith(PNG):
        return [PNG, *_walk(data, 8, lambda at: 12 + int.from_bytes(data[at : at + 4], "big"))]
    if data.startswith(b"RIFF"):
        return [data[:12], *_walk(data, 12, lambda at: _riff_length(data, at))]
    mark = b"PK" if data.startswith(b"PK") else b"\xff" if data.startswith(b"\xff\xd8") else b""
    if mark:
        first, *rest = data.split(mark)
        return [first, *(mark + piece for piece in rest)]
    return [data[at : at + 64] for at in range(0, len(data), 64)] or [b""]


def mend(piece: bytes) -> bytes:
    """A PNG chunk with the check sum that its content has; any other piece as it is."""
    if len(piece) >= 12 and piece[4:8].isalpha() and piece[:2] == b"\0\0":
        return piece[:-4] + struct.pack(">I", zlib.crc32(piece[4:-4]))
    return piece


def _walk(data: bytes, at: int, length: Callable[[int], int]) -> list[bytes]:
    pieces = []
    while at < len(data):
        step = length(at)
        pieces.append(data[at : at + step])
        at += step
    return pieces


def _riff_length(data: bytes, at: int) -> int:
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    return 8 + size + size % 2


def _unpack(piece: bytes) -> bytes:
    if piece[4:8] != b"IDAT":
        return b""
    try:
        return zlib.decompressobj().decompress(piece[8:-4], MOST_BYTES)
    except zlib.error:
        return b""


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + bytes(4)


MUTATIONS: dict[str, Mutation] = {
    way.__name__: way
    for way in (
        flip_bits, write_numbers, cut_short, leave_out, repeat, splice, rearrange, break_piece,
    )
}  # fmt: skip


def make_input(seed: int, index: int, seeds: Sequence[bytes]) -> tuple[bytes, list[str]]:
    """The input of a number: always the same."""
    rng = random.Random(f"{seed}:{index}")
    return mutate(rng.choice(seeds), rng.choice(seeds), rng)
