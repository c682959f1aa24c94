"""Two hundred jobs, and the worker killed in the middle of them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from service.config.settings import Settings
from service.queue.client import Queue
from service.queue.jobs import Job
from service.queue.redis_keys import RedisKeys
from service.queue.task import InferenceTask, TaskSuccess
from service.supervisor.embedded_redis import EmbeddedRedis
from tests.helpers.service.queueing import wait_for

pytestmark = [pytest.mark.server, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
STREAM, GROUP = "{captionfill}:jobs", "workers"


@pytest.fixture
def server(tmp_path):
    server = EmbeddedRedis(tmp_path / "valkey")
    yield server
    server.stop()


@pytest.fixture
def start_worker(server, tiny_bundle, tmp_path):
    """Start a worker process with a lease of a second; none outlives the test."""
    workers = []

    def start():
        settings = {
            "REDIS_URL": server.url,
            "CAPTIONFILL_BUNDLE": str(tiny_bundle),
            "CAPTIONFILL_LEASE_SECONDS": "1",
            "CAPTIONFILL_RESULT_SECONDS": "300",
        }
        log = (tmp_path / "worker.log").open("ab")
        more = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "service.cli.main", "worker"]
        env = {**os.environ, **settings, **more}
        workers.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()


def kill_in_the_middle(worker, client):
    """SIGKILL the worker at a moment when it holds jobs and has finished some."""
    deadline = time.monotonic() + 90
    while worker.poll() is None and time.monotonic() < deadline:
        if client.xlen(STREAM) < 190:
            worker.send_signal(signal.SIGSTOP)
            if client.xpending(STREAM, GROUP)["pending"]:
                worker.kill()
                return worker.wait()
            worker.send_signal(signal.SIGCONT)
        time.sleep(0.002)
    pytest.fail("the worker never got to the middle")


async def queue_all(queue, jobs):
    for job in jobs:
        await queue.put(job)
    return [asyncio.ensure_future(wait_for(queue, job, 150)) for job in jobs]


def test_200_jobs_complete_when_workers_are_killed(server, start_worker):
    settings = Settings(redis_url=server.url)
    client = redis.Redis.from_url(server.url)
    tasks = [InferenceTask(os.urandom(12288), f"picture number {i}", i) for i in range(200)]
    jobs = [Job(task, seconds=150) for task in tasks]

    async def run():
        queue = Queue(settings)
        worker = start_worker()
        waiting = await queue_all(queue, jobs)
        await asyncio.to_thread(kill_in_the_middle, worker, client)
        left = client.xlen(STREAM)
        start_worker()
        outcomes = await asyncio.gather(*waiting)
        await queue.close()
        return left, outcomes

    left, outcomes = asyncio.run(run())
    assert 0 < left < 200
    assert sum(isinstance(outcome, TaskSuccess) for outcome in outcomes) == 200
    # The very script that stores an outcome counts, so a second result for a job would show.
    keys = [RedisKeys(settings.namespace).task + task.id for task in tasks]
    assert [client.hget(key, "stored") for key in keys] == [b"1"] * 200
    assert client.xlen(STREAM) == client.xpending(STREAM, GROUP)["pending"] == 0
