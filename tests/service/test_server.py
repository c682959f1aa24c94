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
