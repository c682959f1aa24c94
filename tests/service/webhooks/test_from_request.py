"""From a request with a webhook to the signed note at its end, and on to the result."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import standardwebhooks
from fastapi.testclient import TestClient
from pydantic import SecretStr

from service.api.app import create_app

pytestmark = pytest.mark.server


@pytest.fixture
def hooks():
    """A server for webhooks: its address, and what it was told."""
    found, arrived = [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            found.append((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", found, arrived
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(settings, secret):
    allowed = {"webhook_secret": SecretStr(secret), "webhook_allow": "127.0.0.1"}
    with TestClient(create_app(settings.model_copy(update=allowed))) as client:
        yield client


@pytest.fixture
def send(client, noise, encode):
    def send(**fields):
        files = {"image": encode(noise())}
        return client.post("/inpaint", files=files, data={"caption": "a cat", **fields})

    return send


@pytest.mark.parametrize(("seed", "end"), [(7, "done"), (13, "failed")])
def test_the_end_of_a_job_is_told(client, send, worker, hooks, secret, seed, end):
    url, found, arrived = hooks
    accepted = send(seed=seed, webhook=url)
    assert accepted.status_code == 202 and arrived.wait(60)
    [(headers, body)] = found
    event = standardwebhooks.Webhook(secret).verify(body, headers)
    assert event["type"] == f"job.{end}" and event["data"]["job_id"] == accepted.json()["id"]
    assert client.get(event["data"]["result"]).status_code == (200 if end == "done" else 500)


def test_a_job_that_is_cancelled_is_told(client, send, hooks):
    url, found, arrived = hooks
    place = send(webhook=url).headers["location"]
    assert client.delete(place).status_code == 204 and arrived.wait(60)
    assert json.loads(found[0][1])["type"] == "job.cancelled"


def test_webhook_into_this_network_is_refused_at_once(send):
    problem = send(webhook="https://10.0.0.1/")
    assert (problem.status_code, problem.json()["type"]) == (422, "/problems/invalid-webhook")
