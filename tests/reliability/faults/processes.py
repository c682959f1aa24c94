"""Processes are killed or replaced under load: workers, the API, both in turn."""

import asyncio
import random
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from service.config.settings import load_settings
from service.queue.jobs import Job
from service.queue.task import WINDOW_BYTES, InferenceTask, TaskFailure
from service.supervisor.managed_process import ManagedProcess
from service.supervisor.spawn import spawn
from tests.helpers.service.queueing import wait_for, with_queue
from tests.reliability.faults.common import (
    LEASE_SECONDS,
    SETTINGS,
    count_stored,
    make_seeds,
    progress,
    seeds_until,
)
from tests.reliability.harness.cluster import STUB_WORKER, Cluster, ForkedWorker
from tests.reliability.harness.load_generator import (
    in_background,
    run_load,
)


def kills(folder: Path, jobs: int, seconds: float, every: float, kind: str = "") -> dict[str, Any]:
    """A random one of three workers is killed with SIGKILL now and then, and another started."""
    hasty = {"REQUEST_TIMEOUT": "6"} if kind == "lossy" else {}  # what is lost need not be awaited
    with Cluster(folder, {**SETTINGS, **hasty}, seconds) as cluster:
        cluster.api()
        workers = [cluster.worker(kind) for _ in range(3)]
        cluster.wait_until_ready(3)
        dice, killed, answered = random.Random(0), [], asyncio.Event()

        def kill() -> None:
            place = dice.randrange(3)
            workers[place].kill()
            workers[place].wait()
            killed.append(place)
            workers[place] = cluster.worker(kind)

        async def run():
            async with in_background(kill, every, answered):
                return await run_load(
                    cluster.address, make_seeds(jobs), on_answer=progress(jobs, answered)
                )

        start = time.monotonic()
        tally = asyncio.run(run())
        return {
            "asked": tally.asked,
            "right": tally.right,
            "wrong": tally.wrong,
            "lost": tally.lost,
            "workers_killed": len(killed),
            "seconds": round(time.monotonic() - start, 1),
            "problems": dict(tally.problems),
            **count_stored(cluster),
            "reclaimed": int(cluster.redis().hget(cluster.keys.metrics, "reclaimed") or 0),
        }


def reclaim(folder: Path, rounds: int) -> dict[str, Any]:
    """How long the job of a killed worker waits for its answer, another worker being idle."""
    with Cluster(folder, SETTINGS, 0.3) as cluster:
        workers = {worker.pid: worker for worker in (cluster.worker(), cluster.worker())}
        waits = [_one_reclaim(cluster, workers, seed) for seed in make_seeds(rounds)]
        return {
            "lease_seconds": LEASE_SECONDS,
            "rounds": rounds,
            "seconds_to_the_answer": [round(wait, 2) for wait in waits],
            "longest_in_leases": round(max(waits) / LEASE_SECONDS, 2),
        }


def _one_reclaim(cluster: Cluster, workers: dict[int, ForkedWorker], seed: int) -> float:
    job = Job(InferenceTask(bytes(WINDOW_BYTES), "a cat", seed), seconds=60)
    settings = load_settings(redis_url=cluster.server.url)
    client = cluster.redis()
    with_queue(settings, lambda queue: queue.put(job))
    while not (name := client.hget(cluster.keys.task + job.task.id, "worker")):
        time.sleep(0.005)
    assert isinstance(name, bytes)
    workers.pop(int(name.decode().rsplit("-", 2)[1])).kill()
    died = time.monotonic()
    result = with_queue(settings, lambda queue: wait_for(queue, job, 60))
    waited = time.monotonic() - died
    assert not isinstance(result, TaskFailure)
    heir = cluster.worker()
    workers[heir.pid] = heir
    return waited


def api(folder: Path, jobs: int, every: float, deaths: int) -> dict[str, Any]:
    """The API is killed with SIGKILL under load and started again; clients ask again.

    They ask for so many fills, and go on until it has died so many times.
    """
    with Cluster(folder, SETTINGS, 0.03) as cluster:
        process = [cluster.api()]
        cluster.worker()
        cluster.wait_until_ready()
        open_requests: list[int] = []
        answered = asyncio.Event()

        def kill() -> None:
            if len(open_requests) == deaths:
                return
            while not (waiting := cluster.depth()):
                time.sleep(0.002)
            process[0].kill()
            process[0].wait()
            process[0] = cluster.api()
            cluster.wait_until_ready()
            open_requests.append(waiting)

        async def run():
            seeds = seeds_until(jobs, lambda: len(open_requests) == deaths)
            async with in_background(kill, every, answered):
                return await run_load(cluster.address, seeds, on_answer=progress(jobs, answered))

        tally = asyncio.run(run())
        return {
            "asked": tally.asked,
            "right": tally.right,
            "wrong": tally.wrong,
            "lost": tally.lost,
            "api_killed": len(open_requests),
            "open_requests": open_requests,
            "retries": dict(tally.retries),
            **count_stored(cluster),
        }


def rolling(folder: Path, jobs: int, rolls: int) -> dict[str, Any]:
    """API and workers are replaced under load; no client asks twice."""
    with (
        Cluster(folder, SETTINGS, 0.01) as cluster,
        socket.create_server(("127.0.0.1", cluster.port), backlog=1024) as listener,
    ):
        children = _children(cluster, listener)
        try:
            while not all(child.is_ready() for child in children):
                time.sleep(0.02)
            replaced = asyncio.run(_roll(cluster, children, jobs, rolls))
        finally:
            for child in children:
                child.stop()
        return {**replaced, **count_stored(cluster)}


async def _roll(
    cluster: Cluster, children: list[ManagedProcess], jobs: int, rolls: int
) -> dict[str, Any]:
    """Replace all processes so many times, and ask all the while and so many times at least."""
    generations = [{child.process.pid for child in children}]
    seeds = seeds_until(jobs, lambda: len(generations) > rolls)
    asking = asyncio.ensure_future(
        run_load(cluster.address, seeds, at_once=16, retry=False, fresh_connections=True,
              on_answer=progress(jobs))
    )  # fmt: skip
    children[0].replace()
    children[1].replace()
    while not asking.done():
        for child in children:
            child.poll(time.monotonic())
        now = {child.process.pid for child in children}
        if not now & generations[-1]:
            generations.append(now)
            if len(generations) <= rolls:
                for child in children:
                    child.replace()
        await asyncio.sleep(0.05)
    tally = await asking
    return {
        "asked": tally.asked,
        "right": tally.right,
        "wrong": tally.wrong,
        "lost": tally.lost,
        "problems": dict(tally.problems),
        "rolls": len(generations) - 1,
        "processes_replaced": len(set.union(*generations)) - len(children),
    }


def _children(cluster: Cluster, listener: socket.socket) -> list[ManagedProcess]:
    def starter(name: str, command: list[str], kept: list[int], more: dict[str, str]):
        def start(ready: int) -> subprocess.Popen[bytes]:
            environment = cluster.environment({**more, "READY_FD": str(ready)})
            log = cluster.folder / f"{name}.log"
            return spawn([sys.executable, *command], log, environment, [ready, *kept])

        return start

    port = {"PORT": str(cluster.port), "LISTEN_FD": str(listener.fileno())}
    api_start = starter("api", ["-m", "service.cli.main", "api"], [listener.fileno()], port)
    worker_start = starter("worker", [*STUB_WORKER, str(cluster.seconds)], [], {})
    return [
        ManagedProcess("api", api_start, cluster.folder / "api.log", 70),
        ManagedProcess("worker", worker_start, cluster.folder / "worker.log", 70),
    ]
