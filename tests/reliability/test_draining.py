"""What is asked to end finishes what it has begun, hands back the rest, and ends with status 0."""

import signal
import subprocess
import sys
import threading

import httpx
import pytest

from service.config.settings import Settings
from service.queue.jobs import Job, State
from service.queue.task import WINDOW_BYTES, InferenceTask, TaskSuccess
from tests.helpers.service.queueing import outcome, put, with_queue
from tests.helpers.waiting import eventually
from tests.reliability.harness.cluster import STUB_WORKER, Cluster
from tests.reliability.harness.load_generator import PICTURE, is_right

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path, {"LEASE_SECONDS": "5", "BATCH_LIMIT": "4"}, 0.1) as cluster:
        yield cluster


def start_worker(cluster):
    """A worker that is this process's own child, so that its status can be asked for."""
    command = [sys.executable, *STUB_WORKER, "0.1"]
    process = subprocess.Popen(command, env=cluster.environment({}))
    cluster.processes.append(process)
    return process


def states(settings, jobs):
    async def look(queue):
        return [(await queue.status(job.id)).state for job in jobs]

    return with_queue(settings, look)


def test_terminated_worker_exits_0_and_another_takes_over(cluster):
    settings = Settings(redis_url=cluster.server.url)
    tasks = [InferenceTask(bytes(WINDOW_BYTES), "a cat", seed) for seed in range(2000, 2020)]
    jobs = put(settings, *(Job(task, seconds=60) for task in tasks))
    worker = start_worker(cluster)
    assert eventually(lambda: State.RUNNING in states(settings, jobs))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    left = states(settings, jobs)
    assert State.RUNNING not in left and left.count(State.DONE) % 4 == 0 < left.count(State.QUEUED)
    cluster.worker()
    assert all(isinstance(outcome(settings, job), TaskSuccess) for job in jobs)


def accepted(cluster):
    """How many jobs were ever queued."""
    with cluster.redis() as client:
        return int(client.hget(cluster.keys.metrics, "accepted") or 0)


def test_terminated_api_finishes_its_requests_and_exits_0(cluster):
    api = cluster.api()
    cluster.worker()
    cluster.wait_until_ready()
    answers = []

    def ask():
        form = {"caption": "a cat", "seed": "2000", "n": "1"}
        answers.append(
            httpx.post(
                f"{cluster.address}/inpaint", files={"image": PICTURE}, data=form, timeout=60
            )
        )

    settings = Settings(redis_url=cluster.server.url)
    put(
        settings,
        *(Job(InferenceTask(bytes(WINDOW_BYTES), "b", seed)) for seed in range(3000, 3012)),
    )
    asking = threading.Thread(target=ask)
    asking.start()
    assert eventually(lambda: accepted(cluster) == 13)
    api.send_signal(signal.SIGTERM)
    assert api.wait(60) == 0
    asking.join()
    assert answers[0].status_code == 200 and is_right(2000, answers[0].content)
