"""Batches over HTTP: a real server behind it, and a worker whose fills are known."""

import io
import json
import zipfile

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.api.app import create_app
from service.queue.jobs import Priority
from service.queue.redis_keys import RedisKeys
from tests.helpers.archives import zip_bytes
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.server


@pytest.fixture
def archive(noise, encode):
    """Three pictures: a good one, one that is none, and another good one; and their captions."""
    pictures = {
        "in/a.png": encode(noise()), "b.png": b"none", "c.jpg": encode(noise(90, 80), "JPEG"),
    }  # fmt: skip
    rows = [{"file_name": name, "caption": f"a {name}"} for name in pictures]
    lines = "\n".join(map(json.dumps, rows)).encode()
    return zip_bytes({**pictures, "metadata.jsonl": lines}), pictures


def send(client, archive, **fields):
    return client.post("/batches", files={"archive": archive}, data=fields)


def finish(client, place):
    """Ask until nothing waits or runs."""
    assert eventually(lambda: client.get(place).json()["state"] == "done")
    return client.get(place).json()


def unzip(answer):
    """The pictures of a result by name, and its lines."""
    with zipfile.ZipFile(io.BytesIO(answer.content)) as result:
        assert result.testzip() is None
        files = {name: result.read(name) for name in result.namelist()}
    return files, [json.loads(line) for line in files.pop("results.jsonl").splitlines()]


def test_a_batch_is_accepted_filled_and_fetched(client, worker, archive):
    data, pictures = archive
    accepted = send(client, data, seed="200")
    place = accepted.headers["location"]
    assert accepted.status_code == 202 and accepted.json()["links"]["self"] == place
    status = finish(client, place)
    assert status["counts"] == {"done": 2, "refused": 1} and status["total"] == 3
    files, lines = unzip(client.get(f"{place}/result"))
    expected = np.array(Image.open(io.BytesIO(pictures["in/a.png"])))
    expected[16:48, 16:48] = 200
    assert np.array_equal(Image.open(io.BytesIO(files["0001-a.png"])), expected)
    assert sorted(files) == ["0001-a.png", "0003-c.png"]
    assert [line["state"] for line in lines] == ["done", "refused", "done"]
    assert [line["caption_unknown"] for line in lines] == [False, None, False]


def test_the_temperature_reaches_every_picture(client, temperatures, worker, archive):
    finish(client, send(client, archive[0], temperature="0.5").headers["location"])
    assert temperatures == [0.5, 0.5]


def test_a_bad_picture_is_told_with_its_problem(client, worker, archive):
    item = send(client, archive[0]).json()["items"][1]
    assert (item["name"], item["job_id"]) == ("b.png", None)
    assert item["problem"]["type"] == "/problems/unsupported-picture"


def test_a_job_that_fails_fails_alone(client, worker, noise, encode):
    captions = {"a.png": "good", "b.png": "bad"}
    data = zip_bytes({"a.png": encode(noise()), "b.png": encode(noise(seed=1))})
    place = send(client, data, captions=json.dumps(captions), seed="13").headers["location"]
    assert finish(client, place)["counts"] == {"failed": 2}
    _, lines = unzip(client.get(f"{place}/result"))
    assert {line["problem"]["type"] for line in lines} == {"/problems/job-failed"}


def test_pictures_and_captions_may_come_as_pairs(client, worker, noise, encode):
    files = [("image", ("x.png", encode(noise()))), ("image", ("y.png", encode(noise(seed=1))))]
    accepted = client.post("/batches", files=files, data={"caption": ["one", "two"], "seed": "5"})
    place = accepted.headers["location"]
    assert finish(client, place)["counts"] == {"done": 2}
    assert sorted(unzip(client.get(f"{place}/result"))[0]) == ["0001-x.png", "0002-y.png"]


def test_unfinished_batch_is_409_unless_partial_is_wanted(client, archive):
    place = send(client, archive[0]).headers["location"]
    problem = client.get(f"{place}/result")
    assert (problem.status_code, problem.json()["type"]) == (409, "/problems/batch-unfinished")
    files, lines = unzip(client.get(f"{place}/result?partial=true"))
    assert files == {} and [line["state"] for line in lines] == ["queued", "refused", "queued"]


def test_deleted_batch_is_gone_and_its_work_cancelled(client, archive, server, settings):
    place = send(client, archive[0]).headers["location"]
    assert server.xlen(RedisKeys(settings.namespace).stream(Priority.BATCH)) == 2
    assert client.delete(place).status_code == 204
    assert client.get(place).json()["type"] == "/problems/no-such-batch"
    assert server.xlen(RedisKeys(settings.namespace).stream(Priority.BATCH)) == 0


def test_a_full_queue_takes_nothing_of_a_batch(settings, archive, server):
    narrow = settings.model_copy(update={"batch_queue_limit": 1})
    with TestClient(create_app(narrow)) as client:
        problem = send(client, archive[0])
    assert (problem.status_code, problem.json()["type"]) == (503, "/problems/queue-full")
    assert server.xlen(RedisKeys(settings.namespace).stream(Priority.BATCH)) == 0


def test_batch_repeated_with_its_key_is_the_same(client, archive):
    def send_with_key(data):
        return client.post(
            "/batches", files={"archive": data}, headers={"Idempotency-Key": "mine"}
        )  # fmt: skip

    one, other = send_with_key(archive[0]).json(), send_with_key(archive[0]).json()
    assert one == other
    fresh = json.dumps({"file_name": "in/a.png", "caption": "new"}).encode()
    changed = zip_bytes({**archive[1], "metadata.jsonl": fresh})
    assert send_with_key(changed).json()["type"] == "/problems/idempotency-key-reused"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"archive": b"no zip"}, "invalid-archive"),
        ({"archive": b"no zip", "n": b"2"}, "invalid-field"),
        ({"nonsense": b""}, "invalid-field"),
    ],
)
def test_a_batch_of_no_use_is_refused(client, fields, kind):
    problem = client.post("/batches", files=fields)
    assert (problem.status_code, problem.json()["type"]) == (422, f"/problems/{kind}")


def test_error_common_to_all_pictures_is_reported_once(client, archive):
    problem = send(client, archive[0], seed="x")
    assert (problem.status_code, problem.json()["type"]) == (422, "/problems/invalid-field")


def test_more_pictures_than_are_taken_are_refused(settings, archive):
    narrow = settings.model_copy(update={"batch_pictures": 2})
    with TestClient(create_app(narrow)) as client:
        problem = send(client, archive[0])
    assert (problem.status_code, problem.json()["type"]) == (413, "/problems/batch-too-large")
