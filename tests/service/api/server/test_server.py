"""The API as a process."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from http.client import HTTPConnection

import psutil
import pytest

from tests.helpers.ports import free_port
from tests.helpers.waiting import eventually

# Whoever connected before the end has a minute for the first words, in place of half a second.
PATIENT_API = """
import service.api.server.http_protocol
service.api.server.http_protocol._FIRST_REQUEST_SECONDS = 60
from service.cli.main import main
main()
"""


@pytest.fixture
def api(tmp_path):
    """A running `captionfill api` whose Redis is away, and a way to ask it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", PATIENT_API, "api", "--port", str(port)],
        env={**os.environ, "REDIS_URL": "redis://127.0.0.1:1", "HOST": "127.0.0.1"},
        stderr=(tmp_path / "log").open("w"),
    )

    def ask(path):
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path)
        return connection.getresponse()

    def answers():
        with suppress(OSError):
            return ask("/healthz")

    ask.port = port
    assert eventually(lambda: process.poll() is not None or answers(), pause=0.1)
    yield process, ask
    process.kill()
    process.wait()


def test_sigterm_ends_it_in_order(api):
    process, _ = api
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_it_tells_neither_its_server_nor_its_faults(api):
    _, ask = api
    answer = ask("/readyz")
    assert answer.status == 503 and b"/problems/queue-unavailable" in answer.read()
    assert answer.getheader("server") is None and answer.getheader("retry-after")


def connections(process):
    return psutil.Process(process.pid).net_connections("tcp")


def has_taken_in(process, client):
    """Whether the process itself, and not the kernel alone, has accepted a connection."""
    return client.getsockname() in [one.raddr for one in connections(process)]


def listens(process):
    return psutil.CONN_LISTEN in [one.status for one in connections(process)]


def test_request_in_progress_at_shutdown_is_answered(api):
    process, ask = api
    with socket.create_connection(("127.0.0.1", ask.port), timeout=30) as late:
        assert eventually(lambda: has_taken_in(process, late))
        process.send_signal(signal.SIGTERM)
        assert eventually(lambda: not listens(process))
        late.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        with late.makefile("rb") as answer:
            assert answer.readline().startswith(b"HTTP/1.1 200")
    assert process.wait(60) == 0
