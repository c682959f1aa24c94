"""HEAD wherever there is GET: the same status and headers, and no content."""

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
from tests.service.api.routes.test_jobs import finished, later, wait_for_worker

pytestmark = pytest.mark.server


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        yield client


@pytest.fixture
def job(client, worker, noise, encode):
    """The address of a job that is done."""
    accepted = later(client, encode(noise()))
    finished(client, accepted)
    return accepted.headers["location"]


@pytest.fixture
def batch(client, worker, noise, encode):
    """The address of a batch."""
    answer = client.post("/batches", files={"image": encode(noise())}, data={"caption": "a cat"})
    return answer.headers["location"]


# What differs from one answer to the next, or tells of the connection.
VARYING = ("x-request-id", "retry-after", "date")


def same(client, path):
    """Whether HEAD tells of an address what GET does; the status."""
    full, head = client.get(path), client.head(path)
    assert head.status_code == full.status_code and head.content == b""
    found, expected = (
        {name: value for name, value in answer.headers.items() if name not in VARYING}
        for answer in (head, full)
    )
    assert found == expected
    return head.status_code


def test_every_get_route_answers_head(client, job, batch):
    wait_for_worker(client)
    routes = [path for path, item in client.app.openapi()["paths"].items() if "get" in item]
    places = {"{job}": job.rpartition("/")[2], "{batch}": batch.rpartition("/")[2],
              "{slug}": "queue-full", "{model}": "stub"}  # fmt: skip
    large = "/docs/swagger-ui-bundle.js"  # a file that is sent in several pieces
    for route in [*routes, "/", "/page/main.js", "/docs", large, "/openapi.json", "/metrics"]:
        path = route
        for name, value in places.items():
            path = path.replace(name, value)
        assert "{" not in path
        if path != "/metrics":  # it counts the requests for itself, so that its length grows
            assert same(client, path) in (200, 409), path
        else:
            assert client.head(path).status_code == 200
    assert len(routes) > 10


def test_head_of_an_unknown_address_is_404(client):
    assert same(client, "/nothing") == 404 and same(client, "/jobs/none") == 404


def test_head_where_there_is_no_get_is_405(client):
    answer = client.head("/inpaint")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_head_of_events_does_not_wait(client, noise, encode):
    waiting = later(client, encode(noise())).headers["location"]
    head = client.head(waiting + "/events")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")


def test_the_log_names_the_route_of_a_head(client, job, caplog):
    caplog.set_level("INFO", "captionfill")
    client.head(job)
    (line,) = [vars(record) for record in caplog.records if record.msg == "request"]
    assert (line["method"], line["route"], line["bytes"]) == ("HEAD", "/jobs/{job}", 0)
