"""What the cases share: settings of the service, seeds, progress, and what was stored."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count

import httpx

from tests.reliability.harness.cluster import Cluster
from tests.reliability.harness.load_generator import (
    FIRST_SEED,
)

LEASE_SECONDS = 1.0
SETTINGS = {
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "REQUEST_TIMEOUT": "80",
    "RESULT_SECONDS": "3600",
    "QUEUE_LIMIT": "4000",
}


def make_seeds(jobs: int) -> range:
    return range(FIRST_SEED, FIRST_SEED + jobs)


def seeds_until(jobs: int, enough: Callable[[], bool]) -> Iterator[int]:
    """So many seeds, and more until enough has happened."""
    for number in count():
        if number >= jobs and enough():
            return
        yield FIRST_SEED + number


def count_stored(cluster: Cluster) -> dict[str, int]:
    """How often each result was stored, by the counter of the very script that stores it."""
    client = cluster.redis()
    names = list(client.scan_iter(cluster.keys.task + "*", count=1000))
    counts = [int(client.hget(name, "stored") or 0) for name in names]
    return {
        "results": sum(count >= 1 for count in counts),
        "stored_more_than_once": sum(count > 1 for count in counts),
        "dead_letters": client.xlen(cluster.keys.dead_letters),
        "left_in_the_stream": cluster.depth(),
    }


def wait_for_http(cluster: Cluster) -> httpx.Response:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            return httpx.get(f"{cluster.address}/healthz").raise_for_status()
        time.sleep(0.05)
    raise TimeoutError("the API did not start")


def progress(jobs: int, answered: asyncio.Event | None = None):
    """Told of every answer: shows how far it is, and sets an event at the first."""

    def tell(tally) -> None:
        if answered is not None:
            answered.set()
        if sys.stderr.isatty() and tally.asked % 20 == 0:
            print(f"\r{tally.asked}/{jobs}", end="", file=sys.stderr, flush=True)

    return tell
