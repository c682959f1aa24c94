"""The order of a run: in each round every system in turn, each with all cells."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.performance.load import Load
from tests.performance.requests import PICTURES
from tests.performance.results import Cell, Results
from tests.performance.systems import SYSTEMS

_START_SECONDS = 12.0
_WARM_UP = 0.25  # of a cell's time, see `Load.measure`


@dataclass(frozen=True)
class Plan:
    """What to measure. Raises `ValueError` for a system or picture that does not exist."""

    cells: Sequence[Cell]
    systems: Sequence[str]
    bundle: str
    seconds: float
    rounds: int

    def __post_init__(self) -> None:
        for name in {*self.systems} - {*SYSTEMS}:
            raise ValueError(f"no system is called {name!r}; there are {', '.join(SYSTEMS)}")
        for name in {cell.picture for cell in self.cells} - {*PICTURES}:
            raise ValueError(f"no picture is called {name!r}; there are {', '.join(PICTURES)}")

    def estimate(self) -> float:
        """About how long it takes, in seconds."""
        cells = len(self.cells) * self.seconds * (1 + _WARM_UP)
        return self.rounds * len(self.systems) * (cells + _START_SECONDS)


def run(plan: Plan, results: Results) -> Iterator[str]:
    """Measure; yield a line for each cell. A round begins with the next system each time."""
    pictures = {cell.picture: PICTURES[cell.picture]() for cell in plan.cells}
    # Another start in every run: a result of one before it would be answered from the cache.
    start = int(time.time()) % 2**20
    for number in range(plan.rounds):
        shift = number % len(plan.systems)
        for name in (*plan.systems[shift:], *plan.systems[:shift]):
            with SYSTEMS[name](plan.bundle) as system:
                for place, cell in enumerate(plan.cells):
                    first = start + (number * len(plan.cells) + place) * 2**20
                    load = Load(system, pictures[cell.picture], cell.captions, first)
                    figures = load.measure(cell.clients, plan.seconds).figures()
                    results.add(cell, name, figures)
                    yield (
                        f"round {number + 1}  {name:12} {cell.picture} {cell.captions:9}"
                        f"{cell.clients:4} clients: {figures['req_s']:8.1f} req/s, "
                        f"p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms, "
                        f"CPU {figures['cpu_ms']:.1f} ms a request"
                    )
