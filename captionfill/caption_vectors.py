"""The vectors of captions, computed once: kept in this process, and shared by workers."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

CAPACITY = 4096
_TRUNCATED, _UNKNOWN = 1, 2


class Encoder(Protocol):
    """A sentence encoder; see `models.captions.CaptionEncoder`."""

    @property
    def cache_name(self) -> str:
        """Encoders of one such name give the same bits."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def encode(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Embed captions, `(N, dimension)`."""

    def is_truncated(self, caption: str) -> bool:
        """Whether a caption has more tokens than the encoder reads."""

    def is_unknown(self, caption: str) -> bool:
        """Whether every token of a caption is unknown."""


class SharedCache(Protocol):
    """Where processes share what their encoders computed. It raises nothing: it may forget."""

    def get(self, encoder: str, captions: Sequence[str]) -> Mapping[str, bytes]:
        """Return the entries of those captions that are there."""

    def put(self, encoder: str, entries: Mapping[str, bytes]) -> None:
        """Add entries by their captions."""


@dataclass(frozen=True)
class CaptionVector:
    """What an encoder says of a caption.

    Attributes:
        vector: float32 `(dimension,)`.
        truncated: the caption is longer than the encoder reads.
        unknown: the encoder knows no token of the caption.
    """

    vector: NDArray[np.float32] = field(repr=False)
    truncated: bool
    unknown: bool

    def to_bytes(self) -> bytes:
        """Return a byte of flags and the numbers, little-endian."""
        flags = _TRUNCATED * self.truncated + _UNKNOWN * self.unknown
        return bytes([flags]) + self.vector.astype("<f4").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, dimension: int) -> Self | None:
        """Read `to_bytes`; None where it is of another length or is no unit vector."""
        if len(data) != 1 + 4 * dimension:
            return None
        vector = np.frombuffer(data, "<f4", offset=1).astype(np.float32)
        if not abs(float(vector @ vector) - 1) < 1e-3:  # nor NaN
            return None
        return cls(vector, bool(data[0] & _TRUNCATED), bool(data[0] & _UNKNOWN))


class CaptionVectors:
    """The vectors of an encoder. One caller at a time."""

    def __init__(
        self, encoder: Encoder, shared: SharedCache | None = None, capacity: int = CAPACITY
    ) -> None:
        """Keep up to `capacity` vectors, the last used ones, and look others up in `shared`."""
        self._encoder, self._shared, self._capacity = encoder, shared, capacity
        self._kept: OrderedDict[str, CaptionVector] = OrderedDict()

    def of(self, captions: Iterable[str]) -> dict[str, CaptionVector]:
        """Return the vector of each caption; those that are nowhere yet are embedded together."""
        wanted = list(dict.fromkeys(captions))
        found = {caption: self._kept[caption] for caption in wanted if caption in self._kept}
        missing = [caption for caption in wanted if caption not in found]
        if missing:
            found |= self._look_up(missing)
            new = [caption for caption in missing if caption not in found]
            found |= self._compute(new) if new else {}
        self._keep(found)
        return found

    def _look_up(self, captions: Sequence[str]) -> dict[str, CaptionVector]:
        if self._shared is None:
            return {}
        entries = self._shared.get(self._encoder.cache_name, captions)
        read = {
            caption: CaptionVector.from_bytes(data, self._encoder.dimension)
            for caption, data in entries.items()
        }
        return {caption: one for caption, one in read.items() if one is not None}

    def _compute(self, captions: Sequence[str]) -> dict[str, CaptionVector]:
        encoder = self._encoder
        computed = {
            caption: CaptionVector(
                vector, encoder.is_truncated(caption), encoder.is_unknown(caption)
            )
            for caption, vector in zip(captions, encoder.encode(captions), strict=True)
        }
        if self._shared is not None:
            entries = {caption: one.to_bytes() for caption, one in computed.items()}
            self._shared.put(encoder.cache_name, entries)
        return computed

    def _keep(self, found: Mapping[str, CaptionVector]) -> None:
        for caption, one in found.items():
            self._kept[caption] = one
            self._kept.move_to_end(caption)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
