"""Open uploads against a real API process: its memory, and who else is served."""

import re
import socket
from contextlib import ExitStack

import httpx
import pytest

from tests.conftest import draw_picture
from tests.helpers.waiting import eventually
from tests.reliability.harness.cluster import Cluster
from tests.reliability.harness.service import ProcessMonitor

pytestmark = [pytest.mark.server, pytest.mark.slow]

MIB = 2**20
SIZE, BUDGET = 8 * MIB, 256
# What a process may take besides: 1 MiB of each open upload before it is spooled to disk, and
# pieces on their way through sockets, parser and allocator.
MARGIN = 48
HEAD = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n'
TAIL = b'\r\n--b\r\nContent-Disposition: form-data; name="caption"\r\n\r\na cat\r\n--b--\r\n'


@pytest.fixture
def cluster(tmp_path):
    settings = {
        "AUTH": "off",
        "MAX_UPLOAD_BYTES": str(BUDGET * MIB),
        "BODY_LIMITS": "{}",
        "TEMP_FOLDER": str(tmp_path / "spool"),
        "MAX_CALLER_REQUESTS": "40",
    }
    with Cluster(tmp_path, settings) as cluster:
        cluster.api()
        cluster.worker()
        cluster.wait_until_ready()
        yield cluster


class Upload:
    """An upload that a client of an address on loopback begins, and does not end yet."""

    def __init__(self, port, number, stack):
        self.socket = stack.enter_context(
            socket.create_connection(("127.0.0.1", port), 60, (f"127.0.0.{number}", 0))
        )
        self.body = HEAD + bytes(SIZE - len(HEAD) - len(TAIL)) + TAIL
        head = (
            "POST /inpaint HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {SIZE}\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        self.status = self._status()

    def fill(self):
        self.socket.sendall(self.body[:-1])

    def end(self):
        self.socket.sendall(self.body[-1:])
        return self._status()

    def _status(self):
        found = b""
        while b"\r\n\r\n" not in found:
            found += self.socket.recv(65536) or b"\r\n\r\n"
        return int((re.match(rb"HTTP/1.1 (\d+)", found) or [b"", b"0"])[1])


def begin(cluster, stack, number, count):
    uploads = [Upload(cluster.port, number, stack) for _ in range(count)]
    taken = [upload for upload in uploads if upload.status == 100]
    return taken, {upload.status for upload in uploads} - {100}


def visit(cluster, number, content=None):
    """A small request of another client."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=f"127.0.0.{number}")) as client:
        if content is None:
            return client.get(f"{cluster.address}/v1/models", timeout=30).status_code
        form = {"image": content, "caption": (None, "a cat")}
        return client.post(f"{cluster.address}/inpaint", files=form, timeout=30).status_code


def test_sixty_open_uploads_stay_within_the_budget(cluster, tmp_path):
    gauge = ProcessMonitor(cluster.processes[0].pid)
    picture = draw_picture(tmp_path / "a.png", 1).read_bytes()
    assert visit(cluster, 2, picture) == 200
    before = gauge.mib()
    with ExitStack() as stack:
        greedy, refused = begin(cluster, stack, 3, 30)
        assert 14 <= len(greedy) <= 16 and refused == {429}
        assert visit(cluster, 2, picture) == 200  # one caller leaves room for others
        others, refused = begin(cluster, stack, 4, 30)
        assert 14 <= len(others) <= 16 and refused <= {429, 503}
        full, refused = begin(cluster, stack, 5, 2)
        assert not full and refused == {503}
        assert visit(cluster, 2) == 200
        for upload in [*greedy, *others]:
            upload.fill()
        assert eventually(lambda: visit(cluster, 2) == 200)
        assert gauge.mib() - before < len(greedy) + len(others) + MARGIN
        assert {upload.end() for upload in [*greedy, *others]} == {415}
        assert gauge.peak_mib() - before < BUDGET + MARGIN
    assert not list((cluster.folder / "spool").iterdir())
    with ExitStack() as stack:  # all of it was given back
        assert len(begin(cluster, stack, 5, 10)[0]) == 10


def test_open_connections_of_one_caller_leave_others_served(cluster, tmp_path):
    """Forty event streams is a caller's most here; the next gets 429, and others are served."""
    picture = draw_picture(tmp_path / "a.png", 1).read_bytes()
    form = {"image": picture, "caption": (None, "a cat")}
    for worker in cluster._workers:
        worker.kill()
    headers = {"Prefer": "respond-async"}
    job = httpx.post(f"{cluster.address}/inpaint", files=form, headers=headers, timeout=30)
    events = job.json()["links"]["events"]
    with ExitStack() as stack:
        for _ in range(40):
            stream = socket.create_connection(("127.0.0.1", cluster.port), 30)
            stack.enter_context(stream).sendall(
                f"GET {events} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
            )
            assert stream.recv(65536).startswith(b"HTTP/1.1 200")
        assert visit(cluster, 1) == 429 and visit(cluster, 2) == 200
        assert httpx.get(f"{cluster.address}/healthz").status_code == 200
    assert eventually(lambda: visit(cluster, 1) == 200)
