"""Abuse suite: sends thousands of requests, a third of them invalid, and checks every response.

`python -m tests.reliability.abuse [--json FILE] [--requests N]`.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from tests.reliability.abuse.bad_http import SLOW, WIRE
from tests.reliability.abuse.bad_requests import FORMS, prepare
from tests.reliability.harness import valid_requests
from tests.reliability.harness.raw_http import ConnectionClosedError, RawClient, WrongResponseError
from tests.reliability.harness.report import write_report
from tests.reliability.harness.sample_images import SampleImage, sample_images
from tests.reliability.harness.service import ProcessMonitor, ServiceUnderTest, running_service
from tests.reliability.harness.valid_requests import CAPTION, ValidClient

# Resident memory of the API at its worst: two pictures of the largest size are decoded at once.
MOST_MIB = 700
# A good request amid all this, and the next one after it; on one core that all of it shares.
MOST_SECONDS, NEXT_SECONDS = 20.0, 3.0
_AT_ONCE, _SLOW_AT_ONCE = 12, 64
_BAD = {**WIRE, **FORMS}
_COSTLY = ("picture_bomb", "archive_bomb", "slow_reader")
_SHOWN = 20


@dataclass
class RequestCounts:
    """What came of each kind of request."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)

    async def take(self, kind: str, act: Awaitable[None]) -> None:
        """Let a request run, and note how long it took and what was wrong with it."""
        start = time.monotonic()
        try:
            await act
        except (WrongResponseError, ConnectionClosedError, OSError, TimeoutError) as error:
            self.wrong.append(f"{kind}: {type(error).__name__}: {error}"[:300])
            print(self.wrong[-1], file=sys.stderr)
        self.seconds[kind].append(time.monotonic() - start)

    def figures(self) -> dict[str, dict[str, float]]:
        return {
            kind: {
                "requests": len(spans),
                "median_ms": round(sorted(spans)[len(spans) // 2] * 1000, 1),
                "worst_ms": round(max(spans) * 1000, 1),
            }
            for kind, spans in sorted(self.seconds.items())
        }

    def worst_good(self) -> float:
        return max(max(spans) for kind, spans in self.seconds.items() if kind.startswith("good"))


class Abuse:
    """Sends everything, in an order that a seed decides."""

    def __init__(self, client: RawClient, seed: int) -> None:
        self._client, self._seed = client, seed
        self._pictures = sample_images()
        prepare()
        self.tally = RequestCounts()

    async def run(self, requests: int) -> None:
        """Send so many requests; those that dawdle go on beside the others."""
        kinds = iter(plan(requests, self._seed))
        dawdlers: set[asyncio.Task[None]] = set()
        room = asyncio.Semaphore(_SLOW_AT_ONCE)

        async def send() -> None:
            for number, kind in kinds:
                if kind not in SLOW:
                    await self._one(number, kind)
                    continue
                await room.acquire()
                task = asyncio.create_task(self._one(number, kind))
                dawdlers.add(task)
                task.add_done_callback(dawdlers.discard)
                task.add_done_callback(lambda _: room.release())

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(send())
        await asyncio.gather(*dawdlers)

    async def next_request(self) -> float:
        """Seconds until the next good request is answered."""
        start = time.monotonic()
        await self.tally.take("good next", self._visitor(random.Random(self._seed)).one_picture())
        return time.monotonic() - start

    async def _one(self, number: int, kind: str) -> None:
        rng = random.Random(f"{self._seed}:{number}")
        if number % 1000 == 0:
            print(f"{number:,} requests", file=sys.stderr)
        if kind == "good":
            way = valid_requests.choose(rng)
            await self.tally.take(f"good {way.__name__}", way(self._visitor(rng)))
        elif kind in WIRE:
            await self.tally.take(kind, WIRE[kind](self._client, rng, self._picture(rng)))
        else:
            await self.tally.take(kind, FORMS[kind](rng, self._picture(rng)).send(self._client))

    def _visitor(self, rng: random.Random) -> ValidClient:
        return ValidClient(self._client, self._pictures, rng)

    def _picture(self, rng: random.Random) -> SampleImage:
        return rng.choice(self._pictures)


def plan(requests: int, seed: int) -> Iterator[tuple[int, str]]:
    """Numbers and kinds of requests: two thirds good, every bad kind as often as the others.

    But bombs and large answers are a fifth as often: they cost the service seconds of work.
    """
    bad = [*_BAD, *[kind for kind in _BAD if kind not in _COSTLY] * 4]
    kinds = [bad[i // 3 % len(bad)] if i % 3 == 0 else "good" for i in range(requests)]
    random.Random(seed).shuffle(kinds)
    return enumerate(kinds, 1)


async def healthz(client: RawClient, spans: list[float]) -> None:
    """Ask again and again whether the process lives, on a connection of one's own each time."""
    while True:
        start = time.monotonic()
        with suppress(WrongResponseError):
            await client.ask("GET", "/healthz")
        spans.append(time.monotonic() - start)
        await asyncio.sleep(0.25)


async def abuse(cluster: ServiceUnderTest, key: str, requests: int, seed: int) -> dict[str, Any]:
    """Send everything to a service; the figures, and in ``broken_bounds`` every bound that was."""
    client, prober = RawClient(cluster.port, key), RawClient(cluster.port, key)
    gauge, suite = ProcessMonitor(cluster.processes[0].pid), Abuse(client, seed)
    await suite.next_request()
    before = gauge.mib()
    beats: list[float] = []
    probing = asyncio.create_task(healthz(prober, beats))
    start = time.monotonic()
    await suite.run(requests)
    seconds = time.monotonic() - start
    probing.cancel()
    client.close()
    prober.close()
    after = await suite.next_request()
    client.close()
    left = await gauge.settle(cluster.port, 30)
    figures = {
        "requests": requests,
        "bad": sum(len(spans) for kind, spans in suite.tally.seconds.items() if kind in _BAD),
        "seconds": round(seconds, 1),
        "answers": dict(sorted(client.seen.items())),
        "healthz_worst_ms": round(max(beats, default=0) * 1000, 1),
        "good_worst_ms": round(suite.tally.worst_good() * 1000, 1),
        "next_request_ms": round(after * 1000, 1),
        "api_mib": {
            "before": round(before, 1), "after": round(gauge.mib(), 1),
            "peak": round(gauge.peak_mib(), 1),
        },
        "connections_left": left,
        "by_kind": suite.tally.figures(),
    }  # fmt: skip
    return {**figures, "broken": broken_bounds(figures, suite.tally, client.seen, cluster)}


def broken_bounds(
    figures: dict[str, Any], tally: RequestCounts, seen: Counter[str], cluster: ServiceUnderTest
) -> list[str]:
    """Every bound that was broken, in words."""
    log = cluster.logs()
    bounds = {
        "an answer of 500 or more": any(answer >= "500" for answer in seen),
        f"the API above {MOST_MIB} MiB": figures["api_mib"]["peak"] > MOST_MIB,
        f"a good request over {MOST_SECONDS} s": tally.worst_good() > MOST_SECONDS,
        f"the next over {NEXT_SECONDS} s": figures["next_request_ms"] > NEXT_SECONDS * 1000,
        "connections left open": figures["connections_left"] > 0,
        "a traceback in the log": "Traceback" in log,
        "a caption in the log": CAPTION in log,
        "a process that died": any(process.poll() is not None for process in cluster.processes),
    }
    return [*tally.wrong[:_SHOWN], *(bound for bound, is_broken in bounds.items() if is_broken)]


def main(
    place: Annotated[Path | None, typer.Option("--json", help="write the figures here")] = None,
    requests: int = 10_000,
    seed: int = 1,
    fault: Annotated[str, typer.Option(help="inject this fault, as a negative control")] = "",
) -> None:
    """Abuse a service."""
    folder = Path(tempfile.mkdtemp(prefix="abuse-"))
    with running_service(folder, fault) as (cluster, key):
        figures = asyncio.run(abuse(cluster, key, requests, seed))
    bounds = {"api_mib": MOST_MIB, "good_seconds": MOST_SECONDS, "next_seconds": NEXT_SECONDS}
    write_report("abuse", {"bounds": bounds, **figures}, place)
    raise typer.Exit(bool(figures["broken"]))
