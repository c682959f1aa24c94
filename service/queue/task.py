"""What the model does: a piece of work named by its content, and what came of it.

Raw bytes in Redis hashes, never a pickle.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

SEEDS = 2**32
MAX_CANDIDATES = 8
WINDOW_BYTES, FILL_BYTES = 64 * 64 * 3, 32 * 32 * 3

Fields = Mapping[str, bytes | str | int | float]


def model_version(bundle: str, engine: str) -> str:
    """What decides the bits of a fill beside its work: a bundle's digest, and its engine."""
    return f"{bundle} {engine}".rstrip()


@dataclass(frozen=True)
class InferenceTask:
    """One window to fill, for whoever asked for it.

    Attributes:
        window: the 64×64 RGB context, row by row, 12,288 bytes; its hole is zero.
        caption: what the picture shows.
        seed: of the first candidate, in [0, 2**32).
        count: how many candidates to make, 1 to 8.
        temperature: how much of its noise each candidate gets, 0 to 1: at 0 all are alike.
        other: a second caption to fill by with the same seeds, for comparison.
        model: the bundle's name; empty for the worker's default.
        model_version: the bundle's digest and its engine as far as they are known, so that another
            bundle or engine makes it another task.
        nonce: makes it work of its own, where the client wants no kept answer.
    """

    window: bytes = field(repr=False)
    caption: str = field(repr=False)
    seed: int
    count: int = 1
    other: str | None = field(default=None, repr=False)
    model: str = ""
    model_version: str = ""
    nonce: str = ""
    temperature: float = 1.0

    @cached_property
    def id(self) -> str:
        """SHA-256 over everything that decides the answer: equal work has one name."""
        facts: list[Any] = [self.caption, self.other, self.seed, self.count]
        facts += [self.model, self.model_version, self.nonce]
        facts += [] if self.temperature == 1 else [self.temperature]
        named = hashlib.sha256(json.dumps(facts).encode())
        named.update(self.window)
        return named.hexdigest()

    @property
    def seeds(self) -> list[int]:
        """The seed of each candidate: counted up from the first, around 2**32."""
        return [(self.seed + i) % SEEDS for i in range(self.count)]

    @property
    def images(self) -> int:
        """How many images the model makes for it."""
        return self.count if self.other is None else 2 * self.count

    def fields(self) -> Fields:
        """The work as the fields of a Redis hash."""
        compared = {} if self.other is None else {"other": self.other}
        return {
            "window": self.window,
            "caption": self.caption,
            "seed": self.seed,
            "count": self.count,
            "model": self.model,
            "edition": self.model_version,
            "nonce": self.nonce,
            "temperature": self.temperature,
            **compared,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """The work that ``fields`` was made from."""
        other = fields.get(b"other")
        return cls(
            window=fields[b"window"],
            caption=fields[b"caption"].decode(),
            seed=int(fields[b"seed"]),
            count=int(fields[b"count"]),
            other=None if other is None else other.decode(),
            model=fields[b"model"].decode(),
            model_version=fields[b"edition"].decode(),
            nonce=fields[b"nonce"].decode(),
            # Work that an older version queued has none.
            temperature=float(fields.get(b"temperature", b"1")),
        )


@dataclass(frozen=True)
class InferenceResult:
    """What a predictor makes of one piece of work.

    Attributes:
        fills: 3,072 bytes of 32×32 RGB for each candidate, the best first where they are scored.
        others: the same for the second caption, in the same order of seeds; else empty.
        seeds: the seed of each candidate, in the order of ``fills``.
        scores: how well each candidate fits the caption, -1 to 1; empty where the bundle has no
            scorer.
        truncated: whether the encoder could not read a caption to its end.
        unknown: whether the encoder knows nothing of a caption, so that it says nothing.
        model: name of the bundle.
        bundle: digest of the bundle.
        engine: what computed it; the same bundle gives other bits by another.
    """

    fills: bytes = field(repr=False)
    seeds: Sequence[int]
    model: str
    bundle: str
    others: bytes = field(default=b"", repr=False)
    scores: Sequence[float] = ()
    truncated: bool = False
    unknown: bool = False
    engine: str = ""

    @property
    def model_version(self) -> str:
        """By what it was made."""
        return model_version(self.bundle, self.engine)


class OutOfMemory(Exception):  # noqa: N818 - the reason, not a fault of the program
    """The device's memory does not hold even one image of a piece of work."""


@dataclass(frozen=True)
class TaskSuccess:
    """A fill and how it came about; times in milliseconds."""

    fill: InferenceResult
    queue_ms: float
    inference_ms: float
    batch_size: int

    def fields(self) -> Fields:
        """The result as fields of the work's Redis hash."""
        fill = self.fill
        facts: dict[str, Any] = {
            "seeds": list(fill.seeds),
            "scores": list(fill.scores),
            "truncated": fill.truncated,
            "model": fill.model,
            "bundle": fill.bundle,
            "engine": fill.engine,
            "queue_ms": self.queue_ms,
            "inference_ms": self.inference_ms,
            "batch_size": self.batch_size,
        }
        if fill.unknown:  # told only where it is so: an API of an older version knows no such fact
            facts["unknown"] = True
        return {"fills": fill.fills, "others": fill.others, "facts": json.dumps(facts)}

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """The result that ``fields`` was made from."""
        facts = json.loads(fields[b"facts"])
        timing = {name: facts.pop(name) for name in ("queue_ms", "inference_ms", "batch_size")}
        return cls(InferenceResult(fields[b"fills"], others=fields[b"others"], **facts), **timing)


@dataclass(frozen=True)
class TaskFailure:
    """Why work has no fills, in words for its client."""

    reason: str


TaskResult = TaskSuccess | TaskFailure
