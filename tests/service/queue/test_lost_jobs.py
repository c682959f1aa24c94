"""Jobs whose records Redis no longer has are told as lost; those that never were are not."""

import json
import threading
import time

import pytest
import redis
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.api.expiry import ExpirySweeper
from service.config.settings import Settings
from service.errors.queue import JobLost, NoSuchJob
from service.queue.consumer import Consumer
from service.queue.jobs import Job, State, age_of, make_job_id
from service.supervisor.embedded_redis import EmbeddedRedis
from service.worker.batching import Batcher
from service.worker.worker import Worker
from tests.helpers.service.queueing import (
    ALL,
    RESULT,
    new,
    outcome,
    put,
    state,
    wait_for,
    with_queue,
)
from tests.helpers.service.stub_model import StubModel

pytestmark = pytest.mark.server

LATER = {"Prefer": "respond-async"}


def post(client, image, seed=1):
    fields = {"caption": "a cat", "seed": seed}
    return client.post("/inpaint", files={"image": image}, data=fields, headers=LATER)


def accept(settings, **options):
    """A background job with a picture, and a webhook."""
    job = Job(new()[0].task, background=True, webhook="https://example.com/", **options)
    made = Job(**{**vars(job), "id": make_job_id(settings.namespace, job.owner)})
    with_queue(settings, lambda queue: queue.put(made, b"picture"))
    return made


def names(keys, job):
    return {
        "task": keys.task + job.task.id,
        "claim": keys.subscribers + job.task.id,
        "stream entry": keys.stream(job.priority),
        "picture": keys.upload + job.id,
    }


RECORDS = ["task", "claim", "stream entry", "picture"]


@pytest.mark.parametrize("record", RECORDS)
def test_a_job_that_misses_a_record_is_lost(settings, consumer, server, keys, record):
    job = accept(settings)
    server.delete(names(keys, job)[record])
    status = with_queue(settings, lambda queue: queue.status(job.id))
    assert status.state == State.LOST and record in status.reason
    with pytest.raises(JobLost, match=record):
        outcome(settings, job)
    found = with_queue(settings, lambda queue: queue.events.since(job.id))
    assert [event.state for event in found] == [State.QUEUED, State.LOST]
    assert server.zscore(keys.hooks, job.id) and server.hget(keys.metrics, "lost") == b"1"
    assert not server.exists(keys.upload + job.id, keys.storage_bytes)


@pytest.mark.parametrize("record", RECORDS)
def test_sweep_finds_lost_jobs_nobody_asks_for(settings, consumer, server, keys, record, caplog):
    job = accept(settings)

    async def sweep(queue):
        sweeper = ExpirySweeper(queue)
        await sweeper.sweep()
        server.delete(names(keys, job)[record])
        await sweeper.sweep()

    with_queue(settings, sweep)
    assert server.hget(keys.job + job.id, "state") == b"lost" and server.zscore(keys.hooks, job.id)
    assert [record.jobs for record in caplog.records if record.message == "Redis lost jobs"] == [1]


def test_a_sweep_comes_to_every_unfinished_job(settings, consumer, server, keys):
    jobs = put(settings, *new(7))
    server.delete(keys.task + jobs[-1].task.id)

    async def sweep(queue):
        place = 0
        for _ in range(4):
            place, _, lost = await queue.sweep(place, 2)
        return place, lost

    assert with_queue(settings, sweep) == (0, 1)
    assert [state(settings, job) for job in jobs] == [State.QUEUED] * 6 + [State.LOST]


def test_worker_without_a_task_reports_its_jobs_lost(settings, consumer, server, keys):
    job = accept(settings)
    server.delete(keys.task + job.task.id)
    assert consumer.take(ALL) == []
    assert server.hget(keys.job + job.id, "state") == b"lost"
    assert server.xlen(keys.stream(job.priority)) == 0 and not server.exists(
        keys.subscribers + job.task.id
    )


@pytest.mark.parametrize("record", ["task", "picture"])
def test_result_gone_before_its_expiry_is_lost(settings, consumer, server, keys, record):
    job = accept(settings)
    consumer.finish(consumer.take(ALL), [RESULT])
    server.delete(names(keys, job)[record])
    assert state(settings, job) == State.LOST
    with pytest.raises(JobLost):
        outcome(settings, job)


def test_a_new_request_heals_work_without_its_entry(settings, consumer, server, keys):
    job = accept(settings)
    server.delete(keys.stream(job.priority))
    consumer.create_streams()
    [again] = put(settings, Job(job.task, seconds=5))
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, again) == RESULT


def test_job_whose_record_is_gone_is_lost(settings, consumer, server, keys):
    job = accept(settings)
    server.delete(keys.job + job.id)

    async def ask(queue):
        with pytest.raises(JobLost):
            await queue.status(job.id, "local")
        with pytest.raises(NoSuchJob):
            await queue.status(job.id, "another")
        await queue.sweep(0, 100)
        assert server.get(f"{keys.prefix}gone:{job.id}") == b"lost"
        with pytest.raises(JobLost):
            await queue.status(job.id, "local")

    with_queue(settings, ask)


def test_waiting_client_is_told_of_a_lost_job(settings, consumer, server, keys):
    job = accept(settings)

    async def wait(queue):
        server.delete(keys.job + job.id)
        await wait_for(queue, job)

    with pytest.raises(JobLost):
        with_queue(settings, wait)


def test_a_server_without_its_data_lost_every_job(client, settings, server, keys, picture):
    job = post(client, picture).json()["id"]
    for name in server.scan_iter(f"{keys.prefix}*"):
        server.delete(name)
    for path in ("", "/result", "/events"):
        answer = client.get(f"/jobs/{job}{path}")
        assert (answer.status_code, answer.json()["type"]) == (410, "/problems/job-lost")


def test_a_job_that_never_was_is_not_lost(client):
    for job in ("0" * 32, "f" * 32, make_job_id("captionfill", "local")):
        answer = client.get(f"/jobs/{job}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-job")


def test_a_deleted_job_is_not_lost(client, picture):
    job = post(client, picture).json()["id"]
    assert [client.delete(f"/jobs/{job}").status_code for _ in range(2)] == [204, 204]
    assert client.get(f"/jobs/{job}").status_code == 404


def test_job_older_than_its_result_is_not_lost(settings, monkeypatch):
    job = make_job_id(settings.namespace, "local")
    later = time.time() + settings.result_seconds + 1
    monkeypatch.setattr("service.queue.jobs.time.time", lambda: later)
    with pytest.raises(NoSuchJob):
        with_queue(settings, lambda queue: queue.status(job, "local"))


def test_ids_tell_their_age_to_their_owner_alone():
    job = make_job_id("ns", "one")
    assert len(job) == 32 and age_of(job, "ns", "one") < 5
    assert age_of(job, "ns", "two") is None and age_of(job, "other", "one") is None
    changed = f"{job[:5]}{'0' if job[5] != '0' else '1'}{job[6:]}"
    assert age_of(changed, "ns", "one") is None and age_of("x" * 32, "ns", "one") is None


def test_a_batch_tells_of_lost_pictures(client, server, keys, picture):
    parts = [("image", picture)] * 2
    answer = client.post("/batches", files=parts, data={"caption": ["a cat", "a dog"]}).json()
    first, second = (item["job_id"] for item in answer["items"])
    server.delete(keys.job + first, keys.upload + second)
    body = client.get(f"/batches/{answer['id']}").json()
    assert body["counts"] == {"lost": 2} and body["state"] == "done"


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru"])
def test_every_job_of_an_evicting_redis_ends(tmp_path, noise, encode, policy, caplog):
    """60 jobs in memory for a few: each accepted one is told done or lost, and has what it says."""
    server = EmbeddedRedis(tmp_path, memory="6mb")
    settings = Settings(
        redis_url=server.url,
        allowed_hosts=("testserver",),
        allow_eviction=True,
        reserved_memory=0,
        lease_seconds=0.3,
        job_timeout=60,
    )
    picture = encode(noise(250, 250))
    worker = Worker(Consumer(settings), StubModel, Batcher(8, 0.3, time.monotonic))
    thread = threading.Thread(target=worker.run)
    try:
        with redis.Redis.from_url(server.url) as admin:
            admin.config_set("maxmemory-policy", policy)
            with TestClient(create_app(settings)) as client:
                jobs = [post(client, picture, seed) for seed in range(100, 160)]
                accepted = [answer.json()["id"] for answer in jobs if answer.status_code == 202]
                thread.start()
                ends = {job: end_of(client, job) for job in accepted}
                assert admin.info("stats")["evicted_keys"] > 0
    finally:
        worker.stop()
        if thread.ident:
            thread.join()
        server.stop()
    assert len(accepted) == 60 and set(ends.values()) <= {"done", "lost"}
    assert "lost" in ends.values()


def end_of(client, job):
    """How a job ends, as its client is told within a generous time."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = client.get(f"/jobs/{job}")
        if answer.status_code == 410:
            assert answer.json()["type"] == "/problems/job-lost"
            return "lost"
        assert answer.status_code == 200, answer.text
        if (found := answer.json()["state"]) not in ("queued", "running"):
            return found if found != "done" else _fetched(client, job)
        time.sleep(0.02)
    return "never"


def _fetched(client, job):
    """A result that is said to be done is there, or is lost by the time it is asked for."""
    answer = client.get(f"/jobs/{job}/result")
    if answer.status_code == 200:
        return "done"
    assert answer.json()["type"] == "/problems/job-lost", json.dumps(answer.json())
    return "lost"
