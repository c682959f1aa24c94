"""Raw bytes on real sockets: what uvicorn makes of them with our protocol."""

import json
import re
import socket
import threading
import time

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.gate.bodies import Linger
from service.gate.context import Context
from service.gate.protocol import guarded_protocol
from service.settings import Settings

GOOD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def answer(scope, receive, send):
    if scope["path"] == "/refuse":
        return await JSONResponse({"refused": True}, 413)(scope, receive, send)
    request = Request(scope, receive)
    body = await request.body()
    big = Response(bytes(50_000_000)) if scope["path"] == "/big" else None
    return await (big or JSONResponse({"size": len(body)}))(scope, receive, send)


@pytest.fixture(scope="module")
def port():
    """A server with short deadlines: headers 0.5 s, idle 0.4 s, an answer 0.5 s."""
    settings = Settings(header_seconds=0.5, max_header_bytes=4096, upload_seconds=0.5)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        Context(Linger(answer)),
        http=guarded_protocol(settings),
        timeout_keep_alive=0.4,
        log_config=None,
        ws="none",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def connect(port):
    sockets = []

    def make():
        sockets.append(socket.create_connection(("127.0.0.1", port), 10))
        return sockets[-1]

    yield make
    for each in sockets:
        each.close()


def read_all(connection):
    """Everything until the server closes."""
    told = b""
    while piece := connection.recv(65536):
        told += piece
    return told


def read_answer(connection):
    """One answer of the application."""
    told = b""
    while not told.endswith(b"}"):
        told += connection.recv(65536) or b"}"
    return told


def problem(told):
    """Status and slug of the last answer."""
    head, _, body = told.rpartition(b"\r\n\r\n")
    assert b"application/problem+json" in head and b"connection: close" in head.lower()
    return int(re.findall(rb"HTTP/1.1 (\d+)", head)[-1]), json.loads(body)["type"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_garbage_gets_a_problem_and_no_traceback(connect, garbage, caplog):
    connection = connect()
    connection.sendall(garbage)
    status, _ = problem(read_all(connection))
    assert status in (400, 501)
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("pieces", [1, 50])
def test_headers_over_the_limit_get_431_however_they_come(connect, pieces):
    connection = connect()
    flood = GOOD[:-2] + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 90) for i in range(200)) + b"\r\n"
    step = len(flood) // pieces + 1
    for start in range(0, len(flood), step):
        connection.sendall(flood[start : start + step])
        time.sleep(0.002)
    assert problem(read_all(connection)) == (431, "/problems/headers-too-large")


def test_headers_that_drip_get_408_at_the_deadline(connect):
    connection = connect()
    start = time.monotonic()
    connection.settimeout(0.05)
    told = b""
    while not told and time.monotonic() < start + 5:
        connection.sendall(b"G" if time.monotonic() == start else b"E")
        try:
            told = connection.recv(65536)
        except TimeoutError:
            continue
    assert problem(told) == (408, "/problems/headers-too-slow")
    assert 0.4 < time.monotonic() - start < 2


def test_a_connection_that_says_nothing_is_closed_in_silence(connect):
    connection = connect()
    start = time.monotonic()
    assert read_all(connection) == b"" and time.monotonic() - start < 2


def test_the_second_request_of_a_connection_has_a_deadline_too(connect):
    connection = connect()
    connection.sendall(GOOD)
    assert b"200 OK" in read_answer(connection)
    connection.sendall(b"GET / HTTP/1.1\r\n")
    start = time.monotonic()
    assert problem(read_all(connection))[0] == 408 and time.monotonic() - start < 2


def test_a_connection_is_kept_for_a_while_and_then_closed(connect):
    connection = connect()
    for _ in range(3):
        connection.sendall(GOOD)
        assert b"200 OK" in read_answer(connection)
        time.sleep(0.2)
    assert read_all(connection) == b""


def test_a_slow_body_is_no_matter_of_the_headers_deadline(connect):
    connection = connect()
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
    for byte in (b"a", b"b", b"c", b"d"):
        time.sleep(0.2)
        connection.sendall(byte)
    assert b'{"size":4}' in read_answer(connection)


def test_pipelined_requests_are_all_answered(connect):
    connection = connect()
    connection.sendall(GOOD * 20)
    assert read_all(connection).count(b"200 OK") == 20


def test_a_client_that_does_not_take_its_answer_on_is_left(connect, port):
    connection = connect()
    connection.sendall(GOOD.replace(b"/ ", b"/big "))
    time.sleep(1.5)
    told = b""
    try:
        told = read_all(connection)
    except ConnectionResetError:
        told = b""
    assert len(told) < 50_000_000


def test_a_refused_upload_is_read_on_so_that_its_answer_arrives(connect):
    connection = connect()
    head = b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n"
    connection.sendall(head + bytes(8_000_000))
    told = read_all(connection)
    assert told.startswith(b"HTTP/1.1 413") and told.endswith(b'{"refused":true}')


def test_a_refused_upload_without_end_is_cut_off(connect):
    connection = connect()
    connection.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    start = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() < start + 20:
            connection.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")
    assert time.monotonic() - start < 10


def test_after_all_this_the_next_request_is_answered(connect):
    connection = connect()
    connection.sendall(GOOD)
    assert b"200 OK" in read_answer(connection)
