"""The API in this process, a real server behind it, and a worker whose fills are known."""

import asyncio
import base64
import io
import time

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from captionfill.imaging.canvas import Canvas
from service.api.app import create_app
from service.errors.queue import QueueUnavailable
from service.queue.client import Queue
from service.queue.consumer import Consumer
from service.queue.jobs import Priority
from tests.helpers.cancellation import SwallowsFirstCancellation
from tests.helpers.service.queueing import ALL, new, put
from tests.helpers.waiting import eventually

pytestmark = pytest.mark.server


def post(client, image, accept="*/*", **fields):
    fields = {"caption": "a cat", **fields}
    return client.post("/inpaint", files={"image": image}, data=fields, headers={"Accept": accept})


def test_response_is_the_image_with_its_centre_filled(client, worker, picture):
    answer = post(client, picture, seed=200)
    expected = np.array(Image.open(io.BytesIO(picture)))
    expected[16:48, 16:48] = 200
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    assert np.array_equal(Image.open(io.BytesIO(answer.content)), expected)


def test_the_headers_say_how_it_was_made(client, worker, picture):
    headers = post(client, picture, seed=7).headers
    assert (headers["x-seed"], headers["x-bundle-digest"]) == ("7", "sha256:stub")
    assert headers["x-engine"] == "brush"
    assert len(headers["x-job-id"]) == 32 and int(headers["x-batch-size"]) >= 1
    assert float(headers["x-queue-ms"]) >= 0 and float(headers["x-inference-ms"]) >= 0


@pytest.mark.parametrize(("caption", "unknown"), [("\U0001f408", True), ("a cat", False)])
def test_a_caption_that_says_nothing_is_told(client, worker, picture, caption, unknown):
    response = post(client, picture, "application/json", caption=caption, seed=1)
    assert response.json()["caption_unknown"] is unknown
    assert response.headers["x-caption-unknown"] == str(unknown).lower()


def test_json_brings_every_candidate(client, worker, picture):
    answer = post(client, picture, "application/json", n=3, seed=250).json()
    centres = [
        Image.open(io.BytesIO(base64.b64decode(i))).getpixel((32, 32)) for i in answer["images"]
    ]
    assert answer["seeds"] == [250, 251, 252]
    assert centres == [(250,) * 3, (251,) * 3, (252,) * 3]


def test_region_of_larger_image_is_filled_and_reported(client, worker, noise, encode):
    data = encode(noise(150, 100))
    fields = {"region": "90,10,40,20", "seed": 9, "detail": "none"}
    answer = post(client, data, "application/json", **fields).json()
    filled = np.array(Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))))
    expected = np.array(Image.open(io.BytesIO(data)))
    expected[10:30, 90:130] = 9
    assert np.array_equal(filled, expected)
    assert (answer["region"], answer["window"]) == ([90, 10, 40, 20], [70, -20, 80])


@pytest.mark.parametrize("detail", ["none", "surroundings", None])
def test_response_has_the_detail_that_was_asked_for(client, worker, noise, encode, detail):
    data = encode(noise(150, 100))
    fields = {} if detail is None else {"detail": detail}
    answer = post(client, data, region="40,10,60,60", seed=9, **fields)
    canvas = Canvas.open(data, "40,10,60,60", detail=detail or "surroundings")
    assert canvas.composite_pngs(np.full((1, 32, 32, 3), 9, np.uint8)) == [answer.content]


def test_an_unknown_detail_is_refused(client, picture):
    problem = post(client, picture, detail="more")
    assert problem.status_code == 422
    assert problem.json()["detail"] == "detail can only be 'none' or 'surroundings' here"


def test_a_bad_job_fails_alone_with_a_problem(client, worker, picture):
    problem = post(client, picture, seed=13)
    assert (problem.status_code, problem.json()["type"]) == (500, "/problems/job-failed")
    assert post(client, picture, seed=14).status_code == 200


@pytest.mark.parametrize(
    ("image", "message"), [(b"", "is an empty file"), (b"photo.jpg", "-F image=@photo.jpg")]
)
def test_what_stands_for_a_forgotten_file_is_named(client, image, message):
    problem = post(client, image).json()
    assert problem["type"] == "/problems/unsupported-picture" and message in problem["detail"]


def test_a_problem_is_a_problem_document(client, worker):
    problem = post(client, b"not a picture")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["type"] == "/problems/unsupported-picture"


def test_problem_type_links_to_its_page(client):
    page = client.get("/problems/queue-full")
    assert page.status_code == 200 and "try again" in page.text
    assert client.get("/problems/nonsense").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/x", 404), ("GET", "/inpaint", 405)]
)
def test_even_the_framework_s_errors_are_problem_documents(client, method, path, status):
    problem = client.request(method, path)
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == status


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/jobs/1", "DELETE, GET, HEAD"), ("/admin/reload", "GET, HEAD, POST"), ("/inpaint", "POST")],
)
def test_405_names_every_method_that_there_is(client, path, methods):
    assert client.put(path).headers["allow"] == methods


def test_an_unforeseen_error_tells_nothing_of_the_inside(client, picture, monkeypatch):
    monkeypatch.setattr("service.api.routes.inpaint.choose_media_type", lambda *_: 1 / 0)
    problem = post(client, picture)
    assert problem.status_code == 500 and "division" not in problem.text
    assert problem.json()["type"] == "/problems/internal-error"


def test_a_full_queue_is_said_at_once(client, settings, picture, server):
    put(settings, *new(settings.queue_limit))
    post(client, picture)  # the first request opens connections
    start = time.monotonic()
    problem = post(client, picture)
    assert problem.json()["type"] == "/problems/queue-full"
    assert time.monotonic() - start < settings.request_timeout / 2  # it waited for no place
    assert int(problem.headers["retry-after"]) > 0


def test_too_many_held_pixels_are_refused(settings, noise, encode):
    narrow = settings.model_copy(update={"request_timeout": 0.5, "max_held_pixels": 6000})
    with TestClient(create_app(narrow)) as client:
        service = client.app.state.inpaint_service
        service._held_pixels = 4000
        assert post(client, encode(noise())).json()["type"] == "/problems/queue-full"


def test_without_a_worker_the_answer_is_a_timeout(settings, picture):
    hasty = settings.model_copy(update={"request_timeout": 0.3})
    with TestClient(create_app(hasty)) as client:
        assert post(client, picture).json()["type"] == "/problems/answer-timeout"


def test_without_queue_the_api_lives_and_reports_it(settings, picture):
    alone = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"})
    with TestClient(create_app(alone)) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").json()["type"] == "/problems/queue-unavailable"
        assert post(client, picture).json()["type"] == "/problems/queue-unavailable"


def test_readiness_needs_a_worker(client):
    assert client.get("/readyz").json()["type"] == "/problems/not-ready"


def test_readiness_names_keys_that_cannot_be_read(settings, tmp_path):
    changes = {"auth": "on", "keys_file": tmp_path / "keys.jsonl"}
    with TestClient(create_app(settings.model_copy(update=changes))) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503 and "API keys is missing" in answer.json()["detail"]


def test_readiness_names_the_bundle(client, worker):
    assert eventually(lambda: client.get("/readyz").status_code == 200)
    assert client.get("/readyz").json() == {
        "status": "ready",
        "bundle": "sha256:stub",
        "engine": "brush",
        "workers": 1,
        "unhealthy": [],
        "warnings": [],
    }


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data", 415),
        (b"", "multipart/form-data; boundary=b", 400),
        (b"garbage", "multipart/form-data; boundary=b", 400),
        (b"--b\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b", 400),
    ],
)  # fmt: skip
def test_a_broken_body_is_refused(client, body, kind, status):
    problem = client.post("/inpaint", content=body, headers={"Content-Type": kind})
    assert problem.status_code == status and problem.json()["status"] == status


def test_a_field_that_is_there_twice_is_refused(client, picture):
    files = [("image", picture), ("image", picture)]
    problem = client.post("/inpaint", files=files, data={"caption": "a"})
    assert problem.status_code == 422 and "twice" in problem.json()["detail"]


def test_the_document_lists_every_field_and_error(client):
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/inpaint"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {
        "image", "caption", "seed", "temperature", "detail", "region", "mask", "n", "compare",
        "model", "output", "quality", "webhook",
    }  # fmt: skip
    statuses = "200 202 304 400 403 406 408 410 413 415 421 422 429 500 503 504 507"
    assert set(statuses.split()) == set(operation["responses"])
    assert {"Problem", "InpaintAnswer"} <= document["components"]["schemas"].keys()
    assert client.get("/docs").status_code == 200


def test_neither_picture_nor_caption_is_logged(client, worker, picture, caplog):
    caplog.set_level("DEBUG", "captionfill")
    post(client, picture, caption="a very secret cat")
    post(client, b"broken", caption="a very secret cat")
    output = [str(vars(record)) for record in caplog.records]
    assert output and not any("secret" in line or "PNG" in line for line in output)


def test_candidates_together_are_bounded_as_one_picture_is(settings, picture):
    narrow = settings.model_copy(update={"max_pixels": 3 * 4096, "request_timeout": 0.2})
    with TestClient(create_app(narrow)) as client:
        problems = [
            post(client, picture, "application/json", **fields).json()
            for fields in ({"n": 4}, {"n": 2, "compare": "a dog"})
        ]
        assert post(client, picture, "application/json", n=3).status_code == 504
    assert {problem["type"] for problem in problems} == {"/problems/picture-too-large"}
    assert [problem["detail"].partition(":")[0] for problem in problems] == [
        "n is at most 3 for a picture of 64×64",
        "n is at most 1 with compare for a picture of 64×64",
    ]


@pytest.fixture
def documented(client):
    """Every POST route, with a field of its form."""
    paths = client.app.openapi()["paths"]
    names = {"/inpaint": "seed", "/batches": "region", "/v1/images/edits": "prompt"}
    return {path: names.get(path) for path, methods in paths.items() if "post" in methods}


def test_no_post_takes_a_query_parameter(client, documented):
    assert len(documented) == 5
    for path, name in documented.items():
        unknown = client.post(path, params={"sede": ""})
        assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/invalid-field")
        assert "unknown query parameter 'sede'" in unknown.json()["detail"]
        if name:
            misplaced = client.post(path, params={name: "5"}).json()
            assert misplaced["detail"].startswith(f"{name} is a field of the form")


def leave(settings, picture, **headers):
    """Post a picture straight to the application, and hang up once its job is queued."""
    boundary = b"--b\r\n"
    parts = [("image", picture), ("caption", b"a cat")]
    body = b"".join(
        boundary
        + f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in parts
    )
    sent = {"host": "localhost", "content-type": "multipart/form-data; boundary=b", **headers}
    messages = [{"type": "http.request", "body": body + b"--b--\r\n", "more_body": False}]
    app = create_app(settings)

    async def receive():
        if messages:
            return messages.pop()
        queue = app.state.queue
        async with asyncio.timeout(60):
            while not await queue.redis.xlen(queue.keys.stream(Priority.INTERACTIVE)):
                await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def run():
        scope = {
            "type": "http", "method": "POST", "path": "/inpaint", "query_string": b"",
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in sent.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "scheme": "http",
            "root_path": "", "http_version": "1.1", "asgi": {"version": "3.0"}, "state": {},
        }  # fmt: skip
        async with app.router.lifespan_context(app):
            await app(scope, receive, lambda _: asyncio.sleep(0))

    asyncio.run(run())


def waiting(settings):
    consumer = Consumer(settings)
    consumer.create_streams()
    return len(consumer.take(ALL))


def test_a_job_is_dropped_when_its_client_leaves(settings, picture):
    leave(settings, picture)
    assert waiting(settings) == 0


def test_job_whose_client_may_return_is_kept(settings, picture):
    leave(settings, picture, idempotency_key="mine")
    assert waiting(settings) == 1


def test_a_swallowed_cancellation_does_not_delay_shutdown(settings, monkeypatch):
    sweep = SwallowsFirstCancellation(QueueUnavailable("away"))
    monkeypatch.setattr(Queue, "sweep", sweep)
    app = create_app(settings)

    async def start_and_stop():
        # The timeout would cancel a second time.
        async with asyncio.timeout(20), app.router.lifespan_context(app):
            await asyncio.sleep(0.05)

    began = time.monotonic()
    asyncio.run(start_and_stop())
    assert sweep.swallowed == 1 and time.monotonic() - began < 15
