"""Clients on real sockets that end their side, or leave, while their job waits."""

import socket
import threading

import pytest
import uvicorn

from service.api.server.server import server_config
from tests.helpers.waiting import eventually
from tests.reliability.harness.raw_http import FORM, multipart_form

pytestmark = pytest.mark.server


@pytest.fixture
def connect(settings):
    """Connections to the whole API, served by uvicorn in a thread."""
    server = uvicorn.Server(server_config(settings.model_copy(update={"request_timeout": 30})))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        opened = []

        def make():
            opened.append(socket.create_connection(listening.getsockname(), 30))
            return opened[-1]

        yield make
        for each in opened:
            each.close()
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def asked(noise, encode):
    """A request to fill a picture, as bytes."""
    body = multipart_form([("image", encode(noise())), ("caption", "a cat"), ("seed", "7")])
    head = f"POST /inpaint HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture
def jobs(server, settings):
    """How many jobs are known."""
    return lambda: len(server.keys(f"{{{settings.namespace}}}:job:*".replace("{", "[{]")))


def test_a_half_closed_client_gets_its_fill(connect, asked, jobs, request):
    connection = connect()
    connection.sendall(asked)
    connection.shutdown(socket.SHUT_WR)
    assert eventually(lambda: jobs() == 1)
    assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
    request.getfixturevalue("worker")
    found = b""
    while piece := connection.recv(65536):
        found += piece
    assert b"HTTP/1.1 200 OK" in found and b"x-seed: 7" in found.lower()


def test_a_client_that_closes_takes_its_job_along(connect, asked, jobs):
    connection = connect()
    connection.sendall(asked)
    assert eventually(lambda: jobs() == 1)
    connection.close()
    assert eventually(lambda: jobs() == 0)
