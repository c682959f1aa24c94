"""Inference tasks and their results, as fields of Redis hashes (raw bytes and JSON, no pickle).

A task's id is the hash of its content, so that equal tasks are computed once.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Self

SEEDS = 2**32
MAX_CANDIDATES = 8
# Images of one task: windows, times candidates, twice with a second caption.
MAX_IMAGES = 64
WINDOW_BYTES, FILL_BYTES = 64 * 64 * 3, 32 * 32 * 3
_IMAGES = ("fills", "others")
_TIMING = ("queue_ms", "inference_ms", "batch_size")

Fields = Mapping[str, bytes | str | int | float]


def model_version(bundle: str, engine: str) -> str:
    """Return what determines a fill besides its task: the bundle's digest and the engine."""
    return f"{bundle} {engine}".rstrip()


@dataclass(frozen=True)
class InferenceTask:
    """The windows of one image to fill.

    Attributes:
        window: the 64×64 RGB context, row by row, 12,288 bytes; its hole is zero. Several windows
            follow each other.
        seed: of the first candidate, in [0, 2**32).
        count: how many candidates to make, 1 to 8.
        temperature: scale of the noise, 0 to 1; at 0 all candidates are equal.
        scored: whether a single candidate gets a score.
        other: a second caption, filled with the same seeds for comparison.
        model: the bundle's name; empty for the worker's default.
        model_version: the bundle's digest and engine if known, so that another bundle or engine
            makes another task.
        nonce: makes the task unique, if the client wants no stored result.
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
    scored: bool = True

    @cached_property
    def id(self) -> str:
        """SHA-256 over everything that determines the result."""
        facts: list[Any] = [self.caption, self.other, self.seed, self.count]
        facts += [self.model, self.model_version, self.nonce]
        if self.temperature != 1:
            facts.append(self.temperature)
        if not self.scored:
            facts.append("unscored")
        named = hashlib.sha256(json.dumps(facts).encode())
        named.update(self.window)
        return named.hexdigest()

    @property
    def seeds(self) -> list[int]:
        """The seed of each candidate: counted up from the first, modulo 2**32."""
        return [(self.seed + i) % SEEDS for i in range(self.count)]

    @property
    def parts(self) -> int:
        """Number of windows."""
        return len(self.window) // WINDOW_BYTES

    @property
    def images(self) -> int:
        """Number of images that the model generates for it."""
        return self.parts * self.count * (1 if self.other is None else 2)

    def fields(self) -> Fields:
        """Return the fields of the task's Redis hash."""
        fields = {**asdict(self), "edition": self.model_version, "scored": int(self.scored)}
        del fields["model_version"]
        return {name: value for name, value in fields.items() if value is not None}

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """Build a task from `fields`. Older versions store neither temperature nor `scored`."""
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
            temperature=float(fields.get(b"temperature", b"1")),
            scored=fields.get(b"scored") != b"0",
        )


@dataclass(frozen=True)
class Lease:
    """A task leased to a worker until it is finished, or the worker is silent for too long.

    Attributes:
        stream, entry: where the task lies in the queue.
        queue_ms: time from acceptance to the lease [ms].
        request_ids, traceparents: of the jobs that wait for the task.
    """

    stream: str
    entry: str
    task: InferenceTask
    task_id: str
    priority: str
    queue_ms: float
    request_ids: Sequence[str] = ()
    traceparents: Sequence[str] = ()

    @classmethod
    def from_reply(cls, reply: Sequence[Any], now: int) -> Self:
        """Parse a lease from the reply of a script that opens entries, at a time in ms since 1970.

        Raises:
            KeyError, ValueError: the fields of the task are invalid.
        """
        stream, entry, task_id = (part.decode() for part in reply[:3])
        pairs, requests, traces = reply[3:]
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        return cls(
            stream=stream,
            entry=entry,
            task=InferenceTask.from_fields(fields),
            task_id=task_id,
            priority=fields[b"lane"].decode(),
            queue_ms=float(now - int(fields[b"created"])),
            request_ids=[one.decode() for one in requests if one],
            traceparents=[one.decode() for one in traces if one],
        )

    @property
    def images(self) -> int:
        """Number of images that the model generates for it."""
        return self.task.images


@dataclass(frozen=True)
class InferenceResult:
    """The result of a task.

    Attributes:
        fills: 3,072 bytes of 32×32 RGB for each candidate and window, the best candidate first
            where they are scored.
        others: the same for the second caption, in the same order of seeds; else empty.
        seeds: the seed of each candidate, in the order of ``fills``.
        scores: similarity of each candidate to the caption, -1 to 1; empty without a scorer.
        model, bundle: name and digest of the bundle.
        truncated: whether a caption is longer than the encoder reads.
        unknown: whether the encoder knows no token of a caption.
        engine: that computed it; another engine gives other bits.
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
        """The bundle's digest and the engine."""
        return model_version(self.bundle, self.engine)

    @property
    def facts(self) -> dict[str, Any]:
        """All but the images, for JSON."""
        return {name: value for name, value in asdict(self).items() if name not in _IMAGES}


class OutOfMemory(Exception):  # noqa: N818 - the usual name
    """The device's memory does not hold even one image of a task."""


@dataclass(frozen=True)
class TaskSuccess:
    """A result with its timing [ms] and batch size."""

    fill: InferenceResult
    queue_ms: float
    inference_ms: float
    batch_size: int

    def fields(self) -> Fields:
        """Return the result as fields of the task's Redis hash."""
        facts = {**self.fill.facts, **{name: getattr(self, name) for name in _TIMING}}
        if not self.fill.unknown:  # an API of an older version does not know this field
            del facts["unknown"]
        return {"fills": self.fill.fills, "others": self.fill.others, "facts": json.dumps(facts)}

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """Build a result from `fields`."""
        facts = json.loads(fields[b"facts"])
        timing = {name: facts.pop(name) for name in _TIMING}
        return cls(InferenceResult(fields[b"fills"], others=fields[b"others"], **facts), **timing)


@dataclass(frozen=True)
class TaskFailure:
    """Why a task has no result, for the client."""

    reason: str


TaskResult = TaskSuccess | TaskFailure
