"""What passes through the queue: a job, and what became of it. Raw bytes, never a pickle."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import uuid4

SEEDS = 2**32
MAX_CANDIDATES = 8

Fields = Mapping[str, bytes | str | int | float]


@dataclass(frozen=True)
class Job:
    """One picture to fill.

    Attributes:
        window: the 64×64 RGB context, row by row, 12,288 bytes; its hole is zero.
        caption: what the picture shows.
        seed: of the first candidate, in [0, 2**32).
        count: how many candidates to make, 1 to 8.
    """

    id: str
    window: bytes
    caption: str
    seed: int
    count: int = 1

    @classmethod
    def new(cls, window: bytes, caption: str, seed: int | None = None, count: int = 1) -> Self:
        """A job with a fresh id, and a random seed where none is given."""
        return cls(
            uuid4().hex, window, caption, secrets.randbelow(SEEDS) if seed is None else seed, count
        )

    @property
    def seeds(self) -> list[int]:
        """The seed of each candidate: counted up from the job's own, around 2**32."""
        return [(self.seed + i) % SEEDS for i in range(self.count)]

    def fields(self) -> Fields:
        """The job as the fields of a Redis hash."""
        return {
            "window": self.window,
            "caption": self.caption,
            "seed": self.seed,
            "count": self.count,
        }

    @classmethod
    def from_fields(cls, name: str, fields: Mapping[bytes, bytes]) -> Self:
        """The job that ``fields`` was made from."""
        numbers = int(fields[b"seed"]), int(fields[b"count"])
        return cls(name, fields[b"window"], fields[b"caption"].decode(), *numbers)


@dataclass(frozen=True)
class Result:
    """A job's fills, 3,072 bytes of 32×32 RGB for each candidate, and how they were made."""

    fills: bytes
    bundle: str
    queue_ms: float
    inference_ms: float
    batch_size: int

    def fields(self) -> Fields:
        """The result as fields of the job's Redis hash."""
        return {"outcome": "done", **vars(self)}

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """The result that ``fields`` was made from."""
        times = float(fields[b"queue_ms"]), float(fields[b"inference_ms"])
        bundle = fields[b"bundle"].decode()
        return cls(fields[b"fills"], bundle, *times, int(fields[b"batch_size"]))


@dataclass(frozen=True)
class Failure:
    """Why a job has no fills, in words for its client."""

    reason: str

    def fields(self) -> Fields:
        """The failure as fields of the job's Redis hash."""
        return {"outcome": "failed", "reason": self.reason}


Outcome = Result | Failure


def read_outcome(fields: Mapping[bytes, bytes]) -> Outcome | None:
    """What became of a job, or None while it waits or runs."""
    match fields.get(b"outcome"):
        case b"done":
            return Result.from_fields(fields)
        case b"failed":
            return Failure(fields[b"reason"].decode())
        case _:
            return None
