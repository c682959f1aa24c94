"""The API as a process."""

import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection

import pytest


@pytest.fixture
def api(tmp_path):
    """A running `captionfill api` whose Redis is away, and a way to ask it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "api", "--port", str(port)],
        env={**os.environ, "REDIS_URL": "redis://127.0.0.1:1", "HOST": "127.0.0.1"},
        stderr=(tmp_path / "log").open("w"),
    )

    def ask(path):
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path)
        return connection.getresponse()

    ask.port = port
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            ask("/healthz")
            break
        except OSError:
            time.sleep(0.1)
    yield process, ask
    process.kill()


def test_sigterm_ends_it_in_order(api):
    process, _ = api
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


def test_it_tells_neither_its_server_nor_its_faults(api):
    _, ask = api
    answer = ask("/readyz")
    assert answer.status == 503 and b"/problems/queue-unavailable" in answer.read()
    assert answer.getheader("server") is None and answer.getheader("retry-after")


def test_a_request_on_its_way_when_the_server_ends_is_answered(api):
    process, ask = api
    with socket.create_connection(("127.0.0.1", ask.port), timeout=10) as late:
        time.sleep(0.2)  # it is taken in, and has said nothing yet
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        late.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert late.recv(100).startswith(b"HTTP/1.1 200")
    assert process.wait(15) == 0
