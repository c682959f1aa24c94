"""ICC profiles for RGB output."""

import struct

_HEADER, _ENTRY = 128, 12
# Adapted to D50: the primaries of sRGB (IEC 61966-2-1) as X, Y, Z.
_PRIMARIES = {
    b"rXYZ": (0.43607, 0.22249, 0.01392),
    b"gXYZ": (0.38515, 0.71687, 0.09708),
    b"bXYZ": (0.14307, 0.06061, 0.71410),
}
_KEPT = {b"desc", b"cprt", b"wtpt", b"chad"}
_CURVES = (b"rTRC", b"gTRC", b"bTRC")


def to_rgb_profile(profile: bytes, *, is_grey: bool) -> tuple[bytes | None, str | None]:
    """Return the profile for the image converted to RGB, or None and a note why there is none.

    Args:
        profile: ICC profile of the file.
        is_grey: whether the file has one channel, beside alpha.
    """
    space = profile[16:20]
    if space == b"RGB ":
        return profile, None
    if space == b"GRAY" and is_grey:
        if converted := _from_grey(profile):
            return converted, None
        return None, "the grey colour profile was dropped: it has no tone curve"
    name = space.decode("ascii", "replace").strip() if space.isalnum() else "unknown"
    return None, f"the colour profile was dropped: it is for {name or 'unknown'} colour, not RGB"


def _from_grey(profile: bytes) -> bytes | None:
    """Convert a grey profile to RGB: sRGB primaries, and the grey tone curve for each channel.

    Equal R, G and B then look as the grey level does. None for a Lab connection space.
    """
    tags = _tags(profile)
    curve = tags.get(b"kTRC")
    if curve is None or profile[20:24] != b"XYZ ":
        return None
    kept = {name: tag for name, tag in tags.items() if name in _KEPT}
    primaries = {name: _xyz(values) for name, values in _PRIMARIES.items()}
    curves = dict.fromkeys(_CURVES, curve)
    return _profile(profile[:_HEADER], kept | primaries | curves)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """The tags of a profile by name; tags that reach beyond its end are left out."""
    count = int.from_bytes(profile[_HEADER : _HEADER + 4], "big")
    found = {}
    for number in range(min(count, 100)):
        entry = profile[_HEADER + 4 + number * _ENTRY :][:_ENTRY]
        if len(entry) == _ENTRY:
            name, start, size = struct.unpack(">4sII", entry)
            if 0 < size <= len(profile) - start:
                found[name] = profile[start : start + size]
    return found


def _profile(header: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Build a profile (ICC.1, 7): header, tag table, and tags, each at a multiple of four bytes."""
    places: dict[bytes, int] = {}
    body = b""
    first = _HEADER + 4 + _ENTRY * len(tags)
    for value in tags.values():
        if value not in places:
            places[value] = first + len(body)
            body += value + b"\0" * (-len(value) % 4)
    entries = [struct.pack(">4sII", name, places[tag], len(tag)) for name, tag in tags.items()]
    table = struct.pack(">I", len(tags)) + b"".join(entries)
    size = struct.pack(">I", first + len(body))
    # The class is a monitor's; the profile's identifier (its MD5) is left out.
    head = size + header[4:12] + b"mntrRGB " + header[20:84] + bytes(16) + header[100:]
    return head + table + body


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))
