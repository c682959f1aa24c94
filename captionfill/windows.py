"""Windows to fill and their fills, as arrays: one item of a batch. Needs no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from captionfill.errors import InvalidField
from captionfill.imaging.codec import Pixels

SEEDS = 2**32


def consecutive_seeds(first: int, count: int) -> list[int]:
    """Return the seeds of ``count`` candidates: counted up from the first, modulo 2**32."""
    return [(first + i) % SEEDS for i in range(count)]


@dataclass(frozen=True)
class WindowRequest:
    """The windows of an image with its caption, and how many candidates to make.

    Attributes:
        windows: uint8 `(K, 64, 64, 3)`, or `(64, 64, 3)` for one, RGB; what lies in the central
            32×32 is not read.
        caption: what the whole image shows.
        seeds: one per candidate, each in [0, 2**32).
        compare: a second caption to fill by, with the same seeds.
        temperature: scale of the noise, 0 to 1; at 0 all candidates are equal.
        scored: whether a single candidate gets a score; several are always ranked by theirs.
    """

    windows: Pixels = field(repr=False)
    caption: str
    seeds: Sequence[int]
    compare: str | None = None
    temperature: float = 1.0
    scored: bool = True

    def __post_init__(self) -> None:
        """Raise `InvalidField` without a seed, or for a seed or temperature out of range."""
        if not self.seeds or not all(0 <= seed < SEEDS for seed in self.seeds):
            raise InvalidField("at least one seed is needed, each from 0 to 4294967295")
        if not 0 <= self.temperature <= 1:
            raise InvalidField("the temperature must be from 0 to 1")

    @property
    def captions(self) -> list[str]:
        """The caption, and the second one if there is any."""
        return [self.caption] if self.compare is None else [self.caption, self.compare]

    @property
    def parts(self) -> int:
        """The number of windows, K."""
        return len(self.windows) if self.windows.ndim == 4 else 1

    @property
    def images(self) -> int:
        """How many images the generator makes: one per caption, seed and window."""
        return len(self.captions) * len(self.seeds) * self.parts


@dataclass(frozen=True)
class WindowFills:
    """The fills of one request, the best candidate first where the bundle carries a scorer.

    Attributes:
        fills: uint8 `(N * K, 32, 32, 3)`: one candidate per seed, each with a fill per window.
        compared: those by the second caption, in the same order of seeds; `(0, 32, 32, 3)` where
            there is no second caption.
        seeds: of each candidate.
        scores: how well each candidate fits the caption, -1 to 1, the mean over its windows; empty
            without a scorer.
        truncated: whether a caption is longer than the encoder reads.
        unknown: whether the encoder knows no token of a caption, so that it has no effect.
    """

    fills: Pixels = field(repr=False)
    compared: Pixels = field(repr=False)
    seeds: list[int]
    scores: list[float]
    truncated: bool
    unknown: bool
