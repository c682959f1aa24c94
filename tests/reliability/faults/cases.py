"""What can go wrong, one case a function: each makes it go wrong and gives figures.

A case's figures say what was lost; ``broken`` in `faults` holds them against their bounds.
"""

import asyncio
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from service.config.settings import load_settings
from service.queue.jobs import Job
from service.queue.task import WINDOW_BYTES, InferenceTask, TaskFailure
from service.supervisor.managed_process import ManagedProcess
from service.supervisor.spawn import spawn
from tests.helpers.service.queueing import wait_for, with_queue
from tests.helpers.service.stub_model import CRASHING_SEED, solid_fills
from tests.reliability.harness.cluster import STUB_WORKER, Cluster, ForkedWorker
from tests.reliability.harness.load_generator import (
    FIRST_SEED,
    PICTURE,
    in_background,
    is_right,
    run_load,
)

LEASE_SECONDS = 1.0
SETTINGS = {
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "REQUEST_TIMEOUT": "80",
    "RESULT_SECONDS": "3600",
    "QUEUE_LIMIT": "4000",
}


def _seeds(jobs: int) -> range:
    return range(FIRST_SEED, FIRST_SEED + jobs)


def _stored(cluster: Cluster) -> dict[str, int]:
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
                    cluster.address, _seeds(jobs), on_answer=_progress(jobs, answered)
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
            **_stored(cluster),
            "reclaimed": int(cluster.redis().hget(cluster.keys.metrics, "reclaimed") or 0),
        }


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
            seeds = _seeds_until(jobs, lambda: len(done) >= 6)
            async with in_background(blip, every, answered):
                return await run_load(cluster.address, seeds, on_answer=_progress(jobs, answered))

        tally = asyncio.run(run())
        return {
            "asked": tally.asked,
            "right": tally.right,
            "wrong": tally.wrong,
            "lost": tally.lost,
            "blips": len(done),
            "retries": dict(tally.retries),
            **_stored(cluster),
        }


def reclaim(folder: Path, rounds: int) -> dict[str, Any]:
    """How long the job of a killed worker waits for its answer, another worker being idle."""
    with Cluster(folder, SETTINGS, 0.3) as cluster:
        workers = {worker.pid: worker for worker in (cluster.worker(), cluster.worker())}
        waits = [_one_reclaim(cluster, workers, seed) for seed in _seeds(rounds)]
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
            while not (waiting := _waiting(cluster)):
                time.sleep(0.002)
            process[0].kill()
            process[0].wait()
            process[0] = cluster.api()
            cluster.wait_until_ready()
            open_requests.append(waiting)

        async def run():
            seeds = _seeds_until(jobs, lambda: len(open_requests) == deaths)
            async with in_background(kill, every, answered):
                return await run_load(cluster.address, seeds, on_answer=_progress(jobs, answered))

        tally = asyncio.run(run())
        return {
            "asked": tally.asked,
            "right": tally.right,
            "wrong": tally.wrong,
            "lost": tally.lost,
            "api_killed": len(open_requests),
            "open_requests": open_requests,
            "retries": dict(tally.retries),
            **_stored(cluster),
        }


def _waiting(cluster: Cluster) -> int:
    """How many jobs are waited for by clients: accepted, and not finished."""
    return cluster.depth()


def _seeds_until(jobs: int, enough: Callable[[], bool]) -> Iterator[int]:
    """So many seeds, and more until enough has happened."""
    for number in count():
        if number >= jobs and enough():
            return
        yield FIRST_SEED + number


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
        return {**replaced, **_stored(cluster)}


async def _roll(
    cluster: Cluster, children: list[ManagedProcess], jobs: int, rolls: int
) -> dict[str, Any]:
    """Replace all processes so many times, and ask all the while and so many times at least."""
    generations = [{child.process.pid for child in children}]
    seeds = _seeds_until(jobs, lambda: len(generations) > rolls)
    asking = asyncio.ensure_future(
        run_load(cluster.address, seeds, at_once=16, retry=False, fresh_connections=True,
              on_answer=_progress(jobs))
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


def queue_away(folder: Path, jobs: int, away: float) -> dict[str, Any]:
    """Valkey is killed with SIGKILL under load, and comes back from its file after a while."""
    with Cluster(folder, SETTINGS, 0.02) as cluster:
        cluster.api()
        _wait_for_http(cluster)
        accepted = _accept(cluster, jobs)
        cluster.worker()
        while (waiting := _waiting(cluster)) == jobs:
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
            **_stored(cluster),
        }


def _accept(cluster: Cluster, jobs: int) -> dict[int, str]:
    places = {}
    with httpx.Client(base_url=cluster.address, timeout=30) as client:
        for seed in _seeds(jobs):
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


def poison(folder: Path, kind: str) -> dict[str, Any]:
    """One of sixteen jobs of a batch kills its model, or ("" for kind) the whole worker."""
    with Cluster(folder, {**SETTINGS, "BATCH_LIMIT": "16"}, 0.0) as cluster:
        seeds = [*range(FIRST_SEED, FIRST_SEED + 7), CRASHING_SEED, *range(2000, 2008)]
        jobs = [
            Job(InferenceTask(bytes(WINDOW_BYTES), "a cat", seed), seconds=200) for seed in seeds
        ]
        settings = load_settings(redis_url=cluster.server.url)

        async def put_all(queue):
            for job in jobs:
                await queue.put(job)

        with_queue(settings, put_all)
        workers, deaths = [cluster.worker(kind)], [0]

        def restart() -> None:
            if workers[-1].poll() is not None:
                deaths[0] += 1
                workers.append(cluster.worker(kind))

        async def wait_for_all(queue):
            async with in_background(restart, 0.05):
                return await asyncio.gather(*(wait_for(queue, job, 150) for job in jobs))

        outcomes = dict(zip(seeds, with_queue(settings, wait_for_all), strict=True))
        end = outcomes.pop(CRASHING_SEED)
        entries: Any = cluster.redis().xrange(cluster.keys.dead_letters)
        letters = [fields[b"reason"].decode() for _, fields in entries]
        return {
            "neighbours": len(outcomes),
            "right": sum(
                not isinstance(one, TaskFailure) and one.fill.fills == solid_fills([seed])
                for seed, one in outcomes.items()
            ),
            "poison_failed": isinstance(end, TaskFailure),
            "dead_letters": letters,
            "workers_died": deaths[0],
        }


def full(folder: Path, requests: int) -> dict[str, Any]:
    """How fast a full queue says that it is full, and a probe in between that all is well."""
    with Cluster(folder, {**SETTINGS, "QUEUE_LIMIT": "50"}) as cluster:
        cluster.api()
        settings = load_settings(redis_url=cluster.server.url, queue_limit=50)

        async def fill_up(queue):
            for seed in _seeds(50):
                await queue.put(Job(InferenceTask(bytes(WINDOW_BYTES), "a cat", seed), seconds=300))

        with_queue(settings, fill_up)
        times, probes, kinds = [], [], set()
        _wait_for_http(cluster)
        with httpx.Client(base_url=cluster.address, timeout=30) as client:
            for number in range(requests + 10):
                start = time.perf_counter()
                answer = client.post(
                    "/inpaint", files={"image": PICTURE}, data={"caption": "a", "seed": str(number)}
                )
                between = time.perf_counter()
                client.get("/healthz")
                times.append((between - start) * 1000)
                probes.append((time.perf_counter() - between) * 1000)
                kinds.add((answer.status_code, answer.json()["type"]))
                assert int(answer.headers["retry-after"]) > 0
        warm = sorted(times[10:])
        return {
            "requests": requests,
            "answers": sorted(f"{status} {kind}" for status, kind in kinds),
            "median_ms": round(warm[len(warm) // 2], 2),
            "p95_ms": round(warm[int(len(warm) * 0.95)], 2),
            "probe_p95_ms": round(sorted(probes[10:])[int(len(warm) * 0.95)], 2),
            "longest_ms": round(warm[-1], 2),
        }


def _wait_for_http(cluster: Cluster) -> httpx.Response:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            return httpx.get(f"{cluster.address}/healthz").raise_for_status()
        time.sleep(0.05)
    raise TimeoutError("the API did not start")


def _progress(jobs: int, answered: asyncio.Event | None = None):
    """Told of every answer: shows how far it is, and sets an event at the first."""

    def tell(tally) -> None:
        if answered is not None:
            answered.set()
        if sys.stderr.isatty() and tally.asked % 20 == 0:
            print(f"\r{tally.asked}/{jobs}", end="", file=sys.stderr, flush=True)

    return tell
