"""Colour information: ICC profiles for RGB output, and gamma conversion to and from sRGB."""

import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.uint8]

# The exponent of sRGB's encoding, approximately.
_SRGB_GAMMA = 1 / 2.2
_GAMMA_RANGE = 0.2, 3.0
_HEADER, _ENTRY = 128, 12
# Adapted to D50: the primaries of sRGB (IEC 61966-2-1) as X, Y, Z.
_PRIMARIES = {
    b"rXYZ": (0.43607, 0.22249, 0.01392),
    b"gXYZ": (0.38515, 0.71687, 0.09708),
    b"bXYZ": (0.14307, 0.06061, 0.71410),
}
_KEPT = {b"desc", b"cprt", b"wtpt", b"chad"}
_CURVES = (b"rTRC", b"gTRC", b"bTRC")


@dataclass(frozen=True)
class TransferFunction:
    """How 8-bit levels are encoded. The networks were trained on sRGB.

    Attributes:
        gamma: exponent of the encoding; None for sRGB. Outside of 0.2 to 3 it is ignored.
    """

    gamma: float | None = None

    def to_srgb(self, levels: Table) -> Table:
        """Convert levels of any shape to sRGB."""
        return levels if self._exponent is None else _power(self._exponent)[levels]

    def from_srgb(self, levels: Table) -> Table:
        """Convert levels of any shape from sRGB."""
        return levels if self._exponent is None else _power(1 / self._exponent)[levels]

    @cached_property
    def _exponent(self) -> float | None:
        low, high = _GAMMA_RANGE
        if self.gamma is None or not low <= self.gamma <= high:
            return None
        exponent = _SRGB_GAMMA / self.gamma
        return None if abs(exponent - 1) < 0.05 else exponent


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
        profile_for_rgb = _from_grey(profile)
        if profile_for_rgb:
            return profile_for_rgb, None
        return None, "the grey colour profile was dropped: it has no tone curve"
    name = space.decode("ascii", "replace").strip() if space.isalnum() else "unknown"
    return None, f"the colour profile was dropped: it is for {name or 'unknown'} colour, not RGB"


def _power(exponent: float) -> Table:
    return np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)


def _from_grey(profile: bytes) -> bytes | None:
    """Convert a grey profile to RGB: sRGB primaries, and the grey tone curve for each channel.

    Equal R, G and B then look as the grey level does. Profiles with a Lab connection space cannot
    be converted this way.
    """
    tags = _tags(profile)
    curve = tags.get(b"kTRC")
    if curve is None or profile[20:24] != b"XYZ ":
        return None
    fitting = {name: tag for name, tag in tags.items() if name in _KEPT}
    fitting |= {name: _xyz(values) for name, values in _PRIMARIES.items()}
    fitting |= dict.fromkeys(_CURVES, curve)
    return _profile(profile[:_HEADER], fitting)


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
