"""How much the queue keeps for one caller, and for all of them."""

import pytest
import redis
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.auth.api_keys import ApiKeyFile
from service.config.settings import Settings
from service.errors.queue import QueueFull
from service.queue.jobs import Job
from service.supervisor.embedded_redis import EmbeddedRedis
from tests.helpers.service.queueing import new, put, with_queue

pytestmark = pytest.mark.server

LATER = {"Prefer": "respond-async"}


def serving(settings, **changes):
    """A client of an API with some settings changed."""
    return TestClient(create_app(settings.model_copy(update=changes)))


def post(client, image, headers=LATER, seed=1, **fields):
    return client.post(
        "/inpaint",
        files={"image": image},
        data={"caption": "a cat", "seed": seed, **fields},
        headers=headers,
    )


def room_for(jobs, picture):
    """A quota for some jobs with a picture each."""
    return int((new()[0].stored_bytes + len(picture)) * (jobs + 0.5))


def slug(answer):
    return answer.json()["type"].rsplit("/", 1)[1]


def test_only_the_picture_is_stored(settings, server, keys, picture):
    with serving(settings) as client:
        job = post(client, picture + bytes(500_000)).json()["id"]
    assert server.strlen(keys.upload + job) <= len(picture)


def test_a_caller_over_its_quota_gets_429(settings, server, keys, picture):
    with serving(settings, caller_bytes=room_for(2, picture)) as client:
        jobs = [post(client, picture, seed=seed).json()["id"] for seed in (1, 2)]
        refused = post(client, picture, seed=3)
        assert (refused.status_code, slug(refused)) == (429, "quota-exceeded")
        assert "DELETE /jobs" in refused.json()["detail"] and refused.headers["retry-after"]
        assert server.xlen(keys.stream("interactive")) == 2
        client.delete(f"/jobs/{jobs[0]}")  # cancelled: its picture is gone
        assert post(client, picture, seed=3).status_code == 202


def test_deleting_a_fetched_job_frees_its_bytes(settings, worker, server, keys, picture):
    with serving(settings, caller_bytes=room_for(1, picture)) as client:
        job = post(client, picture, {"Prefer": "respond-async, wait=5"}).headers["x-job-id"]
        assert post(client, picture, seed=2).status_code == 429
        client.delete(f"/jobs/{job}")
        assert not server.exists(keys.storage, keys.storage_bytes)
        assert post(client, picture, seed=2).status_code == 202


def test_the_quota_holds_for_each_key_alone(settings, tmp_path, picture):
    path = tmp_path / "keys.jsonl"
    one, other = (ApiKeyFile(path).create(name) for name in ("one", "other"))
    changes = {"auth": "on", "keys_file": path, "caller_bytes": room_for(1, picture)}
    with serving(settings, **changes) as client:
        statuses = [
            post(client, picture, {**LATER, "X-API-Key": key}, seed).status_code
            for seed, key in enumerate((one, one, other))
        ]
    assert statuses == [202, 429, 202]


def test_requests_answered_at_once_are_outside_the_quota(settings, worker, picture):
    with serving(settings, caller_bytes=1) as client:
        assert post(client, picture, {}).status_code == 200
        assert post(client, picture).status_code == 429


def test_a_batch_over_the_quota_is_refused_whole(settings, server, keys, picture):
    parts = [("image", picture)] * 3
    with serving(settings, caller_bytes=room_for(2, picture)) as client:
        answer = client.post("/batches", files=parts, data={"caption": ["a cat"] * 3})
        assert (answer.status_code, slug(answer)) == (429, "quota-exceeded")
    assert server.xlen(keys.stream("batch")) == 0
    assert not server.exists(keys.storage, keys.storage_bytes)


def test_sums_without_charges_are_dropped(settings, server, keys, picture):
    """Redis may have evicted the charges alone."""
    with serving(settings, caller_bytes=room_for(1, picture)) as client:
        post(client, picture)
        server.delete(keys.storage)
        assert post(client, picture, seed=2).status_code == 202


def test_without_maxmemory_a_setting_bounds_all_callers(settings, server, picture):
    assert int(server.config_get("maxmemory")["maxmemory"]) > 0
    server.config_set("maxmemory", 0)
    try:
        with serving(settings, background_bytes=room_for(1, picture)) as client:
            assert post(client, picture).status_code == 202
            refused = post(client, picture, seed=2)
        assert (refused.status_code, slug(refused)) == (503, "queue-full")
    finally:
        server.config_set("maxmemory", "1gb")


def test_uploads_leave_memory_for_synchronous_work(tmp_path):
    small = EmbeddedRedis(tmp_path, memory="8mb")
    try:
        settings = Settings(redis_url=small.url, reserved_memory=0.3, queue_limit=1000)
        upload = bytes(300_000)

        async def fill(queue):
            for _ in range(100):
                [job] = new(background=True)
                await queue.put(job, upload)

        with pytest.raises(QueueFull, match="background"):
            with_queue(settings, fill)
        with redis.Redis.from_url(small.url) as client:
            assert client.info("memory")["used_memory"] < 8 * 2**20 * 0.75
        jobs = put(settings, *(Job(job.task, seconds=60) for job in new(50)))
        assert len(jobs) == 50
    finally:
        small.stop()
