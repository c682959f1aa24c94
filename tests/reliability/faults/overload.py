"""Too much or the wrong work: an input that crashes the model, and a full queue."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx

from service.config.settings import load_settings
from service.queue.jobs import Job
from service.queue.task import WINDOW_BYTES, InferenceTask, TaskFailure
from tests.helpers.service.queueing import wait_for, with_queue
from tests.helpers.service.stub_model import CRASHING_SEED, solid_fills
from tests.reliability.faults.common import (
    SETTINGS,
    make_seeds,
    wait_for_http,
)
from tests.reliability.harness.cluster import Cluster
from tests.reliability.harness.load_generator import (
    FIRST_SEED,
    PICTURE,
    in_background,
)


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
            for seed in make_seeds(50):
                await queue.put(Job(InferenceTask(bytes(WINDOW_BYTES), "a cat", seed), seconds=300))

        with_queue(settings, fill_up)
        times, probes, kinds = [], [], set()
        wait_for_http(cluster)
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
