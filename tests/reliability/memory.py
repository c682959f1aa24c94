"""Memory suite: after thousands of requests API and worker must be as small as before.

`python -m tests.reliability.memory [--json FILE] [--requests N] [--fault leak-api|leak-worker]`.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from tests.reliability.abuse.bad_requests import FORMS
from tests.reliability.abuse.suite import RequestCounts
from tests.reliability.harness import valid_requests
from tests.reliability.harness.raw_http import RawClient
from tests.reliability.harness.report import write_report
from tests.reliability.harness.sample_images import sample_images as samples
from tests.reliability.harness.service import ProcessMonitor, running_service
from tests.reliability.harness.valid_requests import ValidClient

# Bombs take a process to its peak whenever they come; the abuse suite has them.
_BAD = [make for name, make in FORMS.items() if "bomb" not in name]
_BAD_SHARE, _AT_ONCE = 0.2, 8
_MOST_WRONG = 20
# What is kept in Redis is let go of in mid-run, or its growth would hide in the answers.
KEEPING = {"RESULT_SECONDS": "30", "JOB_TIMEOUT": "60"}


@dataclass(frozen=True)
class Bounds:
    """What still counts as flat.

    Attributes:
        slope: MiB a thousand requests, fitted to all samples after the warm-up.
        growth: MiB from the middle tenth of the run to its last tenth, by their medians.
        warm_up: share of the run in which caches, pools and the allocator's own reserves fill up.
    """

    slope: float = 0.5
    growth: float = 6.0
    warm_up: float = 0.3


@dataclass
class MemorySeries:
    """Resident memory over a run: MiB by requests sent."""

    requests: list[int] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)

    def add(self, requests: int, mib: float) -> None:
        self.requests.append(requests)
        self.mib.append(mib)

    def slope(self, warm_up: float) -> float:
        """MiB a thousand requests, as the median over all pairs of samples (Theil and Sen)."""
        first = int(len(self.mib) * warm_up)
        sent, mib = np.array(self.requests[first:]), np.array(self.mib[first:])
        one, other = np.triu_indices(len(sent), 1)
        apart = sent[other] > sent[one]  # a batch may be answered at the end of two parts at once
        one, other = one[apart], other[apart]
        return float(np.median((mib[other] - mib[one]) / (sent[other] - sent[one]))) * 1000

    @property
    def growth(self) -> float:
        tenth = max(1, len(self.mib) // 10)
        middle = len(self.mib) // 2
        return float(
            np.median(self.mib[-tenth:]) - np.median(self.mib[middle - tenth // 2 :][:tenth])
        )

    def figures(self, bounds: Bounds) -> dict[str, Any]:
        return {
            "mib_a_thousand_requests": round(self.slope(bounds.warm_up), 3),
            "middle_to_end_mib": round(self.growth, 2),
            "first_mib": round(self.mib[0], 1),
            "last_mib": round(self.mib[-1], 1),
            "course_mib": [round(mib, 1) for mib in self.mib[:: max(1, len(self.mib) // 20)]],
        }

    def is_flat(self, bounds: Bounds) -> bool:
        return self.slope(bounds.warm_up) <= bounds.slope and self.growth <= bounds.growth


class Load:
    """Good and bad requests, several at once; after every hundredth part all processes are read."""

    def __init__(self, client: RawClient, gauges: dict[str, ProcessMonitor], seed: int) -> None:
        self._client, self._gauges, self._seed = client, gauges, seed
        self._pictures = samples()
        self._numbers = count()
        self.tally = RequestCounts()
        self.courses = {name: MemorySeries() for name in gauges}

    async def run(self, requests: int, samples: int) -> None:
        """Go on until so many requests were answered, and take so many samples on the way."""
        for part in range(1, samples + 1):
            goal = requests * part // samples
            await asyncio.gather(*(self._send(goal) for _ in range(_AT_ONCE)))
            for name, gauge in self._gauges.items():
                self.courses[name].add(self._client.seen.total(), gauge.mib())
            if part % 10 == 0:
                found = {name: round(course.mib[-1], 1) for name, course in self.courses.items()}
                print(f"{goal:,} requests: {found} MiB", file=sys.stderr)

    async def _send(self, goal: int) -> None:
        while self._client.seen.total() < goal and len(self.tally.wrong) < _MOST_WRONG:
            number = next(self._numbers)
            rng = random.Random(f"{self._seed}:{number}")
            if rng.random() < _BAD_SHARE:
                make = rng.choice(_BAD)
                request = make(rng, rng.choice(self._pictures)).send(self._client)
                await self.tally.take(make.__name__, request)
            else:
                way = valid_requests.choose(rng)
                visitor = ValidClient(self._client, self._pictures, rng)
                await self.tally.take(f"good {way.__name__}", way(visitor))


def measure(
    folder: Path, requests: int, bounds: Bounds, fault: str = "", samples: int = 100, seed: int = 1
) -> dict[str, Any]:
    """Run a service under load; the figures, and in ``broken`` what was not flat or not right."""
    with running_service(folder, fault, **KEEPING) as (cluster, key):
        api, worker = cluster.processes
        gauges = {"api": ProcessMonitor(api.pid), "worker": ProcessMonitor(worker.pid)}
        client = RawClient(cluster.port, key)
        load = Load(client, gauges, seed)
        asyncio.run(load.run(requests, samples))
    return {
        "bounds": vars(bounds),
        "requests": client.seen.total(),
        "answers": dict(sorted(client.seen.items())),
        **{name: course.figures(bounds) for name, course in load.courses.items()},
        "by_kind": {kind: len(spans) for kind, spans in sorted(load.tally.seconds.items())},
        "broken": [*load.tally.wrong, *growing(load.courses, bounds)],
    }


def growing(courses: dict[str, MemorySeries], bounds: Bounds) -> Sequence[str]:
    return [f"{name} grows" for name, course in courses.items() if not course.is_flat(bounds)]


def main(
    place: Annotated[Path | None, typer.Option("--json", help="write the figures here")] = None,
    requests: int = 20_000,
    fault: Annotated[str, typer.Option(help="inject this fault, as a negative control")] = "",
    seed: int = 1,
) -> None:
    """Watch the memory of a service under load."""
    folder = Path(tempfile.mkdtemp(prefix="memory-"))
    figures = measure(folder, requests, Bounds(), fault, seed=seed)
    write_report("memory", figures, place)
    raise typer.Exit(bool(figures["broken"]))


if __name__ == "__main__":
    typer.run(main)
