"""Asynchronous jobs over HTTP: a real server behind, and a worker whose fills are known."""

import base64
import io
import json
import time

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.api.app import create_app
from service.queue.task import TaskFailure
from tests.helpers.service.queueing import ALL
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.server


@pytest.fixture
def client(settings, monkeypatch):
    monkeypatch.setattr(
        "service.queue.worker_reports._MAX_AGE_SECONDS", 0
    )  # each request asks who works
    with TestClient(
        create_app(settings), base_url="http://localhost", raise_server_exceptions=False
    ) as client:
        yield client


def post(client, image, headers=None, **fields):
    data = {"caption": "a cat", **fields}
    return client.post("/inpaint", files={"image": image}, data=data, headers=headers or {})


def later(client, image, headers=None, **fields):
    return post(client, image, {"Prefer": "respond-async", **(headers or {})}, **fields)


def finished(client, answer):
    def status():
        return client.get(answer.headers["location"]).json()

    assert eventually(lambda: status()["state"] not in ("queued", "running"))
    return status()


def wait_for_worker(client):
    """Wait for the worker's first beat: before it any model's name goes."""
    assert eventually(lambda: client.get("/v1/models").json()["data"])


def test_an_asynchronous_job_is_accepted_with_its_place(client, picture):
    answer = later(client, picture)
    assert answer.status_code == 202 and answer.headers["preference-applied"] == "respond-async"
    status = client.get(answer.headers["location"]).json()
    assert (status["state"], status["position"]) == ("queued", 1)
    assert int(answer.headers["retry-after"]) >= 1 and status["deadline"] > time.time()


def test_job_result_equals_the_synchronous_response(client, worker, picture):
    accepted = later(client, picture, seed=9)
    assert finished(client, accepted)["state"] == "done"
    result = client.get(accepted.headers["location"] + "/result")
    at_once = post(client, picture, seed=9)
    assert result.content == at_once.content
    assert result.headers["etag"] == at_once.headers["etag"]


def test_prefer_wait_returns_what_is_done_by_then(client, worker, picture):
    answer = post(client, picture, {"Prefer": "respond-async, wait=5"}, seed=9)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"


def test_prefer_wait_is_over_when_it_is_over(client, picture, settings):
    start = time.monotonic()
    accepted = post(client, picture, {"Prefer": "respond-async, wait=1"})
    refused = post(client, picture, {"Prefer": "wait=1"})
    assert accepted.status_code == 202 and refused.status_code == 504
    assert 2 <= time.monotonic() - start < settings.request_timeout


@pytest.mark.parametrize(
    "headers",
    [{"Prefer": "wait=soon"}, {"Idempotency-Key": b"\xe9"}, {"Idempotency-Key": "x" * 256}],
)  # fmt: skip
def test_a_header_that_cannot_be_used_is_refused(client, picture, headers):
    problem = post(client, picture, headers)
    assert (problem.status_code, problem.json()["type"]) == (400, "/problems/invalid-header")


def test_empty_optional_headers_count_as_absent(client, worker, picture):
    names = ("Prefer", "Idempotency-Key", "Cache-Control", "If-None-Match", "Accept")
    answers = [post(client, picture, dict.fromkeys(names, ""), seed=9) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].headers["x-job-id"] != answers[1].headers["x-job-id"]


def test_result_that_is_not_ready_is_409(client, picture):
    problem = client.get(later(client, picture).headers["location"] + "/result")
    assert (problem.status_code, problem.json()["type"]) == (409, "/problems/result-not-ready")
    assert "retry-after" in problem.headers


def test_a_failed_job_says_so(client, consumer, picture):
    accepted = later(client, picture)
    consumer.finish(consumer.take(ALL), [TaskFailure("bad luck")])
    status = finished(client, accepted)
    assert (status["state"], status["reason"]) == ("failed", "bad luck")
    assert client.get(accepted.headers["location"] + "/result").status_code == 500


def test_a_cancelled_job_never_reaches_the_model(client, consumer, picture):
    place = later(client, picture).headers["location"]
    assert client.delete(place).status_code == 204
    assert consumer.take(ALL) == []
    assert client.get(place).json()["state"] == "cancelled"
    assert client.get(place + "/result").json()["type"] == "/problems/job-gone"


def test_finished_job_is_deleted_on_request(client, worker, picture):
    accepted = later(client, picture)
    finished(client, accepted)
    assert client.delete(accepted.headers["location"]).status_code == 204
    assert client.get(accepted.headers["location"]).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", "")],
)  # fmt: skip
def test_a_job_that_is_not_known_is_404(client, method, path):
    problem = client.request(method, "/jobs/" + "0" * 32 + path)
    assert (problem.status_code, problem.json()["type"]) == (404, "/problems/no-such-job")


def test_another_caller_s_job_is_not_there(client, picture, settings, server):
    answer = later(client, picture)
    name = answer.headers["location"].removeprefix("/jobs/")
    server.hset(f"{{{settings.namespace}}}:job:{name}", "owner", "somebody else")
    for method, path in [("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", "")]:
        assert client.request(method, f"/jobs/{name}{path}").status_code == 404


def test_image_of_synchronous_response_is_not_kept(client, worker, picture):
    name = post(client, picture).headers["x-job-id"]
    assert client.get(f"/jobs/{name}/result").json()["type"] == "/problems/job-gone"


def events(answer):
    """The events of a stream: id, name and data of each."""
    found = []
    for block in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines.get("id"), lines["event"], json.loads(lines["data"])))
    return found


def test_events_follow_a_job_to_its_end(client, worker, picture):
    place = later(client, picture).headers["location"]
    answer = client.get(place + "/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    named = [name for number, name, _ in events(answer) if number]
    assert named == ["queued", "running", "done"]


def test_end_between_polls_is_sent_with_its_id(client, picture):
    name = later(client, picture).headers["location"].removeprefix("/jobs/")
    queue = client.app.state.queue
    look = queue.events.follow

    async def ended_meanwhile(*args):
        async for event in look(*args):
            if event is None:  # read, and not yet looked at the state
                await queue.cancel(name)
            yield event

    queue.events.follow = ended_meanwhile
    received = events(client.get(f"/jobs/{name}/events"))
    assert [event for _, event, _ in received] == ["queued", "cancelled"]
    assert all(number for number, *_ in received)


def test_events_go_on_after_the_last_one_seen(client, worker, picture):
    place = later(client, picture).headers["location"]
    seen = [number for number, *_ in events(client.get(place + "/events")) if number]
    again = client.get(place + "/events", headers={"Last-Event-ID": seen[0]})
    assert [number for number, *_ in events(again) if number] == seen[1:]


def test_events_of_synchronous_request_include_its_end(client, worker, picture):
    name = post(client, picture).headers["x-job-id"]
    [(number, event, _)] = events(client.get(f"/jobs/{name}/events"))
    assert event == "done"
    again = client.get(f"/jobs/{name}/events", headers={"Last-Event-ID": number})
    assert (again.status_code, again.content) == (204, b"")


def test_events_after_the_end_are_204(client, worker, picture):
    place = later(client, picture).headers["location"] + "/events"
    *_, before, last = [number for number, *_ in events(client.get(place)) if number]
    assert client.get(place, headers={"Last-Event-ID": last}).status_code == 204
    again = client.get(place, headers={"Last-Event-ID": before})
    assert [number for number, *_ in events(again)] == [last]


def test_an_end_without_an_event_is_told_once(client, picture, settings, server):
    name = later(client, picture).headers["location"].removeprefix("/jobs/")
    prefix = f"{{{settings.namespace}}}"
    [(seen, _)] = server.xrange(f"{prefix}:events:{name}")
    server.delete(f"{prefix}:work:{server.hget(f'{prefix}:job:{name}', 'work').decode()}")
    assert client.get(f"/jobs/{name}").json()["state"] == "lost"
    server.delete(f"{prefix}:events:{name}")
    place, headers = f"/jobs/{name}/events", {"Last-Event-ID": seen.decode()}
    [(number, event, _)] = events(client.get(place, headers=headers))
    assert event == "lost"
    assert client.get(place, headers={"Last-Event-ID": number}).status_code == 204


def test_an_empty_last_event_counts_as_absent(client, worker, picture):
    place = later(client, picture).headers["location"] + "/events"
    received = events(client.get(place, headers={"Last-Event-ID": ""}))
    assert received[0][1] == "queued"


def test_a_last_event_that_is_none_is_refused(client, worker, picture):
    place = later(client, picture).headers["location"]
    problem = client.get(place + "/events", headers={"Last-Event-ID": "yesterday"})
    assert problem.json()["type"] == "/problems/invalid-header"


def test_same_key_gives_same_job_and_same_fill(client, worker, picture):
    key = {"Idempotency-Key": "one"}
    first, second = post(client, picture, key), post(client, picture, key)
    assert first.headers["x-job-id"] == second.headers["x-job-id"]
    assert first.content == second.content


def test_the_same_key_with_another_payload_is_422(client, worker, picture):
    key = {"Idempotency-Key": "one"}
    post(client, picture, key)
    problem = post(client, picture, key, seed=8)
    assert problem.status_code == 422
    assert problem.json()["type"] == "/problems/idempotency-key-reused"


def test_client_that_has_the_result_gets_304(client, worker, picture, consumer):
    wait_for_worker(client)
    first = post(client, picture, seed=9)
    again = post(client, picture, {"If-None-Match": first.headers["etag"]}, seed=9)
    assert (again.status_code, again.content) == (304, b"")
    other = post(client, picture, {"If-None-Match": first.headers["etag"]}, seed=10)
    assert other.status_code == 200 and other.headers["etag"] != first.headers["etag"]


def test_a_result_that_the_client_has_is_304(client, worker, picture):
    accepted = later(client, picture, seed=9)
    finished(client, accepted)
    place = accepted.headers["location"] + "/result"
    tag = client.get(place).headers["etag"]
    assert client.get(place, headers={"If-None-Match": f'"x", W/{tag}'}).status_code == 304
    assert client.get(place, headers={"If-None-Match": '"x"'}).status_code == 200


def test_identical_requests_are_computed_once(client, worker, picture, settings, server):
    answers = [post(client, picture, seed=9) for _ in range(3)]
    assert len({answer.content for answer in answers}) == 1
    counts = server.hgetall(f"{{{settings.namespace}}}:metrics")
    assert (counts[b"batch_size:sum"], counts[b"cached"]) == (b"1", b"2")


def test_who_wants_no_kept_answer_has_it_computed(client, worker, picture, settings, server):
    for _ in range(3):
        post(client, picture, {"Cache-Control": "no-cache"}, seed=9)
    assert server.hget(f"{{{settings.namespace}}}:metrics", "batch_size:sum") == b"3"


def test_comparison_shows_both_fills_and_their_distance(client, worker, picture):
    answer = post(client, picture, seed=20, n=2, compare="a dog").json()
    assert answer["comparison"]["levels"] == [1.0, 1.0]
    assert len(answer["images"]) == len(answer["comparison"]["images"]) == 2
    assert answer["scores"] is None and answer["caption_truncated"] is False


@pytest.mark.parametrize("accept", ["image/png", "text/html", "*/*", ""])
def test_json_routes_ignore_the_accept_header(client, worker, picture, accept):
    form, headers = (
        {"files": {"image": picture}, "data": {"caption": "a cat", "seed": 9}},
        {"Accept": accept},
    )
    at_once = client.post("/inpaint/json", headers=headers, **form)
    accepted = client.post("/inpaint/json", headers={**headers, "Prefer": "respond-async"}, **form)
    assert finished(client, accepted)["state"] == "done"
    fetched = client.get(accepted.headers["location"] + "/result/json", headers=headers)
    png = post(client, picture, seed=9).content
    for answer in (at_once, fetched):
        assert answer.headers["content-type"] == "application/json"
        assert base64.b64decode(answer.json()["images"][0]) == png


def test_json_routes_refuse_what_others_refuse(client, picture):
    refused = client.post("/inpaint/json", files={"image": picture}, data={"caption": " "})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-caption")
    early = client.get(later(client, picture).headers["location"] + "/result/json")
    assert (early.status_code, early.json()["type"]) == (409, "/problems/result-not-ready")


def test_a_bundle_that_nobody_has_is_named(client, worker, picture):
    wait_for_worker(client)
    problem = post(client, picture, model="nobody").json()
    assert problem["type"] == "/problems/unknown-model" and "stub" in problem["detail"]
    assert post(client, picture, model="stub").status_code == 200


def test_models_are_listed_as_openai_clients_expect(client, worker):
    wait_for_worker(client)
    found = client.get("/v1/models").json()
    [model] = found["data"]
    assert found["object"] == "list" and model["object"] == "model"
    assert (model["id"], model["default"], model["workers"]) == ("stub", True, 1)
    assert client.get("/v1/models/stub").json() == model


def test_unknown_model_is_404_for_openai_clients(client):
    problem = client.get("/v1/models/none")
    assert (problem.status_code, problem.json()["type"]) == (404, "/problems/no-such-model")
    assert problem.json()["error"]["code"] == "no-such-model"


def test_a_reload_is_followed_to_its_end(client, worker):
    wait_for_worker(client)
    assert client.post("/admin/reload").status_code == 202
    assert eventually(lambda: client.get("/admin/reload").json()["done"])
    progress = client.get("/admin/reload").json()
    assert progress["done"] and progress["generation"] == 1 and len(progress["workers"]) == 1


def test_webhook_creates_a_job_and_is_checked_first(client, picture, settings):
    problem = post(client, picture, webhook="http://127.0.0.1/x").json()
    assert problem["type"] == "/problems/invalid-webhook"
    signing = settings.model_copy(update={"webhook_secret": settings.webhook_secret.__class__(
        "whsec_" + "A" * 32)})  # fmt: skip
    with TestClient(create_app(signing), base_url="http://localhost") as client:
        assert post(client, picture, webhook="https://example.com/x").status_code == 202


def test_asynchronous_job_keeps_pixels_outside_the_region(client, worker, noise, encode):
    data = encode(noise(150, 100))
    accepted = later(client, data, region="90,10,40,20", seed=9, detail="none")
    finished(client, accepted)
    result = client.get(accepted.headers["location"] + "/result")
    expected = np.array(Image.open(io.BytesIO(data)))
    expected[10:30, 90:130] = 9
    assert np.array_equal(Image.open(io.BytesIO(result.content)), expected)
