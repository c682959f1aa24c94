"""Redis fails under load: connections cut, writes refused, the server killed."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx

from tests.reliability.faults.common import (
    LEASE_SECONDS,
    SETTINGS,
    count_stored,
    make_seeds,
    progress,
    seeds_until,
    wait_for_http,
)
from tests.reliability.harness.cluster import Cluster
from tests.reliability.harness.load_generator import (
    PICTURE,
    in_background,
    is_right,
    run_load,
)


def blips(folder: Path, jobs: int, every: float, kind: str = "") -> dict[str, Any]:
    """Connections are cut and writes refused for less than a lease, again and again, under load."""
    hasty = {"REQUEST_TIMEOUT": "8"} if kind == "leaky" else {}  # what is stuck need not be awaited
    with Cluster(folder, {**SETTINGS, **hasty}, 0.02) as cluster:
        cluster.api()
        for _ in range(2):
            cluster.worker(kind)
        cluster.wait_until_ready(2)
        client, answered = cluster.redis(), asyncio.Event()
        done: list[int] = []

        def blip() -> None:
            if len(done) % 2:
                client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            else:
                client.config_set("min-replicas-to-write", 1)
                time.sleep(LEASE_SECONDS / 4)
                client.config_set("min-replicas-to-write", 0)
            done.append(1)

        async def run():
            seeds = seeds_until(jobs, lambda: len(done) >= 6)
            async with in_background(blip, every, answered):
                return await run_load(cluster.address, seeds, on_answer=progress(jobs, answered))

        tally = asyncio.run(run())
        return {
            "asked": tally.asked,
            "right": tally.right,
            "wrong": tally.wrong,
            "lost": tally.lost,
            "blips": len(done),
            "retries": dict(tally.retries),
            **count_stored(cluster),
        }


def queue_away(folder: Path, jobs: int, away: float) -> dict[str, Any]:
    """Valkey is killed with SIGKILL under load, and comes back from its file after a while."""
    with Cluster(folder, SETTINGS, 0.02) as cluster:
        cluster.api()
        wait_for_http(cluster)
        accepted = _accept(cluster, jobs)
        cluster.worker()
        while (waiting := cluster.depth()) == jobs:
            time.sleep(0.002)
        cluster.server.process.kill()
        cluster.server.process.wait()
        during = _look_around(cluster, away)
        cluster.server.poll()
        cluster.wait_until_ready()
        results = [_fetch(cluster, place, seed) for seed, place in accepted.items()]
        return {
            "accepted_before": len(accepted),
            "unfinished_before": waiting,
            "right": results.count("right"),
            "wrong": results.count("wrong"),
            "lost": len(accepted) - results.count("right") - results.count("wrong"),
            "seconds_away": away,
            **during,
            **count_stored(cluster),
        }


def _accept(cluster: Cluster, jobs: int) -> dict[int, str]:
    places = {}
    with httpx.Client(base_url=cluster.address, timeout=30) as client:
        for seed in make_seeds(jobs):
            answer = client.post(
                "/inpaint",
                files={"image": PICTURE},
                data={"caption": "a cat", "seed": str(seed)},
                headers={"Prefer": "respond-async"},
            )
            assert answer.status_code == 202, answer.text
            places[seed] = answer.headers["location"]
    return places


def _look_around(cluster: Cluster, seconds: float) -> dict[str, Any]:
    """What clients are told while the queue is away."""
    until, ready, posted = time.monotonic() + seconds, [], []
    with httpx.Client(base_url=cluster.address, timeout=30) as client:
        while time.monotonic() < until:
            ready.append(client.get("/readyz").status_code)
            problem = client.post("/inpaint", files={"image": PICTURE}, data={"caption": "a"})
            posted.append((problem.status_code, problem.json()["type"]))
            time.sleep(0.2)
    return {
        "readiness_while_away": sorted(set(ready)),
        "answers_while_away": sorted({f"{status} {kind}" for status, kind in posted}),
    }


def _fetch(cluster: Cluster, place: str, seed: int) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = httpx.get(f"{cluster.address}{place}/result", timeout=30)
        if answer.status_code == 200:
            return "right" if is_right(seed, answer.content) else "wrong"
        if answer.status_code not in (409, 503):
            return f"lost: {answer.text}"
        time.sleep(0.1)
    return "lost: never done"
