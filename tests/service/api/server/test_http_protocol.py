"""Raw bytes on real sockets: what uvicorn makes of them with our protocol."""

import asyncio
import errno
import json
import re
import select
import socket
import struct
import threading
import time
from contextlib import ExitStack, suppress

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.api.server.http_protocol import guarded_protocol
from service.config.settings import Settings
from service.middleware.body_limit import DrainBody
from service.middleware.request_context import RequestContext
from tests.helpers.waiting import eventually

GOOD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def answer(scope, receive, send):
    if scope["path"] == "/refuse":
        return await JSONResponse({"refused": True}, 413)(scope, receive, send)
    request = Request(scope, receive)
    body = await request.body()
    if scope["path"] == "/wait":
        return await wait_for_the_client(request)
    if scope["path"] == "/soon":
        await asyncio.sleep(0.2)
    if scope["path"] == "/held":
        await asyncio.to_thread(RELEASED.wait, 30)
    if scope["path"] == "/target":
        found = [scope["path"], scope["query_string"].decode(), request.headers["host"]]
        return await JSONResponse({"told": found})(scope, receive, send)
    big = Response(bytes(50_000_000)) if scope["path"] == "/big" else None
    return await (big or JSONResponse({"size": len(body)}))(scope, receive, send)


LEFT, RELEASED = threading.Event(), threading.Event()


async def wait_for_the_client(request):
    """Wait as a job does until its client leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    LEFT.set()


# Deadlines of each server in seconds: for headers, for an answer to be taken on, between requests.
# A test that waits for none of them asks the patient one, however busy the machine is.
DEADLINES = {"patient": (60, 60, 60), "hasty": (0.5, 0.5, 60), "restless": (60, 60, 0.5)}


def make_server(headers, answer_taken, idle):
    settings = Settings(
        header_timeout=headers, max_header_bytes=4096, upload_timeout=answer_taken
    )  # fmt: skip
    config = uvicorn.Config(
        RequestContext(DrainBody(answer)),
        http=guarded_protocol(settings),
        timeout_keep_alive=idle,
        log_config=None,
        ws="none",
    )
    return uvicorn.Server(config)


@pytest.fixture(scope="module")
def servers():
    """The port and the server for each set of deadlines."""
    with ExitStack() as stack:
        running = {}
        for name, seconds in DEADLINES.items():
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            server = make_server(*seconds)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            stack.callback(thread.join, 10)
            stack.callback(setattr, server, "should_exit", True)
            running[name] = listening.getsockname()[1], server
        yield running


@pytest.fixture
def connect(servers):
    with ExitStack() as stack:

        def make(name="patient"):
            address = ("127.0.0.1", servers[name][0])
            return stack.enter_context(socket.create_connection(address, 30))

        yield make


def read_all(connection):
    """Everything until the server closes."""
    found = b""
    while piece := connection.recv(65536):
        found += piece
    return found


def read_answers(connection, count=1):
    """Some answers of the application, each of which ends with a brace."""
    found = b""
    while found.count(b"}") < count:
        piece = connection.recv(65536)
        assert piece, f"closed after {found!r}"
        found += piece
    return found


def problem(message):
    """Status and slug of the last answer."""
    head, _, body = message.rpartition(b"\r\n\r\n")
    assert b"application/problem+json" in head and b"connection: close" in head.lower()
    return int(re.findall(rb"HTTP/1.1 (\d+)", head)[-1]), json.loads(body)["type"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n",
        b"\r\n" * 50,
        b"GET\r\n\r\n",
        b"GET http:///x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://a@x/ HTTP/1.1\r\nHost: x\r\n\r\n",
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


def test_client_resetting_during_refusal_leaves_no_traceback(connect, monkeypatch, caplog):
    def write_eof(transport):
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    monkeypatch.setattr(asyncio.selector_events._SelectorSocketTransport, "write_eof", write_eof)
    connection = connect()
    connection.sendall(GOOD + b"garbage\r\n\r\n")
    assert b"/problems/malformed-http" in read_all(connection)
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("pieces", [1, 50])
def test_headers_over_the_limit_always_get_431(connect, pieces):
    connection = connect()
    flood = GOOD[:-2] + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 90) for i in range(200)) + b"\r\n"
    step = len(flood) // pieces + 1
    for start in range(0, len(flood), step):
        connection.sendall(flood[start : start + step])
        time.sleep(0.002)
    assert problem(read_all(connection)) == (431, "/problems/headers-too-large")


def test_headers_that_drip_get_408_at_the_deadline(connect):
    start = time.monotonic()
    connection = connect("hasty")
    while not select.select([connection], [], [], 0.05)[0]:
        connection.sendall(b"E")
        assert time.monotonic() < start + 30
    assert problem(read_all(connection)) == (408, "/problems/headers-too-slow")
    assert time.monotonic() - start >= 0.5


def test_silent_connection_is_closed_silently(connect):
    assert read_all(connect("hasty")) == b""


def test_second_request_of_a_connection_has_a_deadline(connect):
    connection = connect("hasty")
    connection.sendall(GOOD)
    assert b"200 OK" in read_answers(connection)
    connection.sendall(b"GET / HTTP/1.1\r\n")
    assert problem(read_all(connection))[0] == 408


def test_idle_connection_is_kept_and_then_closed(connect):
    connection = connect("restless")
    for _ in range(3):
        connection.sendall(GOOD)
        assert b"200 OK" in read_answers(connection)
        answered = time.monotonic()
    assert read_all(connection) == b"" and time.monotonic() - answered > 0.25


def test_slow_body_is_outside_the_header_deadline(connect):
    connection = connect("hasty")
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
    for byte in (b"a", b"b", b"c", b"d"):
        time.sleep(0.2)
        connection.sendall(byte)
    assert b'{"size":4}' in read_answers(connection)


def test_pipelined_requests_are_all_answered(connect):
    connection = connect()
    connection.sendall(GOOD * 20)
    assert read_answers(connection, 20).count(b"200 OK") == 20


def test_client_that_stops_reading_is_dropped(connect, servers):
    connection = connect("hasty")
    connection.sendall(GOOD.replace(b"/ ", b"/big "))
    assert select.select([connection], [], [], 30)[0]  # the answer has begun
    assert eventually(lambda: not servers["hasty"][1].server_state.connections)
    found = b""
    with suppress(ConnectionResetError):
        found = read_all(connection)
    assert len(found) < 50_000_000


def test_refused_upload_is_drained_so_its_response_arrives(connect):
    connection = connect()
    head = b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n"
    connection.sendall(head + bytes(8_000_000))
    found = read_all(connection)
    assert found.startswith(b"HTTP/1.1 413") and found.endswith(b'{"refused":true}')


def test_a_refused_upload_without_end_is_cut_off(connect):
    connection = connect()
    connection.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    start = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() < start + 30:
            connection.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")


@pytest.mark.parametrize("empty", [b"\r\n", b"\n", b"\r\n\r\n\r\n"])
def test_empty_lines_before_a_request_are_skipped(connect, empty):
    connection = connect()
    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd"
    connection.sendall(empty + post + empty + GOOD)
    assert read_answers(connection, 2).count(b"200 OK") == 2


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (b"http://name:81/target?a=1", b'["/target","a=1","name:81"]'),
        (b"HTTPS://name/target", b'["/target","","name"]'),
        (b"/target", b'["/target","","x"]'),
    ],
)
def test_an_absolute_target_names_path_and_host(connect, target, message):
    connection = connect()
    connection.sendall(GOOD.replace(b"/ ", target + b" ", 1))
    assert read_answers(connection).endswith(message + b"}")


@pytest.mark.parametrize("target", [b"http://x", b"http://x?a=1", b"http://x/"])
def test_absolute_target_without_path_is_the_root(connect, target):
    connection = connect()
    connection.sendall(GOOD.replace(b"/ ", target + b" ", 1))
    assert b'{"size":0}' in read_answers(connection)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("path", [b"/", b"/soon"])
def test_a_half_closed_connection_gets_its_answer(connect, path, version):
    connection = connect()
    asked = GOOD.replace(b"/ ", path + b" ", 1).replace(b"1.1", version)
    connection.sendall(asked)
    connection.shutdown(socket.SHUT_WR)
    assert read_all(connection).endswith(b'{"size":0}')


def test_interim_responses_tell_who_still_reads(connect):
    RELEASED.clear()
    connection = connect()
    connection.sendall(GOOD.replace(b"/ ", b"/held ", 1))
    connection.shutdown(socket.SHUT_WR)
    found = connection.recv(65536)
    RELEASED.set()
    assert found.startswith(b"HTTP/1.1 100 ") and b"200 OK" in read_all(connection)


def test_pipelined_requests_before_a_half_close_are_answered(connect):
    connection = connect()
    connection.sendall(GOOD * 5)
    connection.shutdown(socket.SHUT_WR)
    assert read_all(connection).count(b"200 OK") == 5


@pytest.mark.parametrize(
    "cut",
    [
        GOOD[:-4],
        GOOD + GOOD[:-4],
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabcd",
    ],
)
def test_request_cut_by_half_close_gets_400(connect, cut):
    connection = connect()
    connection.sendall(cut)
    connection.shutdown(socket.SHUT_WR)
    assert problem(read_all(connection)) == (400, "/problems/malformed-http")


def test_a_half_close_before_any_request_closes(connect):
    connection = connect()
    connection.shutdown(socket.SHUT_WR)
    assert read_all(connection) == b""


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_closes_is_noticed(connect, reset, version):
    LEFT.clear()
    connection = connect()
    connection.sendall(GOOD.replace(b"/ ", b"/wait ", 1).replace(b"1.1", version))
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    assert LEFT.wait(30)


def test_after_all_this_the_next_request_is_answered(connect):
    connection = connect()
    connection.sendall(GOOD)
    assert b"200 OK" in read_answers(connection)
