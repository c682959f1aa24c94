import asyncio
import io
import resource

import pytest
from starlette.requests import Request

from captionfill.errors import InvalidField
from service.api.forms.multipart import FileSlice, open_form, read_form
from service.config.settings import Settings
from service.errors.queue import StorageFull
from service.errors.requests import BadRequest, UnsupportedEncoding

PART = b'--b\r\nContent-Disposition: form-data; name="caption"\r\n\r\na cat'
END = b"\r\n--b--\r\n"


class Client:
    """Sends chunks as a server would hand them on, and counts them."""

    def __init__(self, chunks, pause=0.0, leaves=False, **headers):
        kind = {"content-type": "multipart/form-data; boundary=b", **headers}
        raw = [(key.replace("_", "-").encode(), value.encode()) for key, value in kind.items()]
        self.scope = {"type": "http", "method": "POST", "headers": raw}
        self.chunks, self.pause, self.leaves, self.sent = list(chunks), pause, leaves, 0

    async def receive(self):
        await asyncio.sleep(self.pause)
        if self.leaves and self.sent == len(self.chunks):
            return {"type": "http.disconnect"}
        self.sent += 1
        more = self.leaves or self.sent < len(self.chunks)
        return {"type": "http.request", "body": self.chunks[self.sent - 1], "more_body": more}

    def read(self, **settings):
        return asyncio.run(read_form(Request(self.scope, self.receive), Settings(**settings)))


def test_a_form_in_small_pieces_is_read_whole():
    pieces = [bytes([byte]) for byte in PART + END]
    assert Client(pieces).read() == {"caption": b"a cat"}


def test_a_form_without_its_end_is_refused():
    with pytest.raises(BadRequest, match="last boundary"):
        Client([PART]).read()


@pytest.mark.parametrize(
    "preamble",
    [b"\r\n", b"This is a message in MIME format.\r\n", b"a - --a\r\n--\r\n --b\r\n" * 99],
)
@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_a_preamble_is_skipped_in_pieces(preamble, step):
    body = preamble + PART + END
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    assert Client(pieces).read() == {"caption": b"a cat"}


def test_a_body_without_its_boundary_is_named():
    with pytest.raises(BadRequest, match="boundary that Content-Type names"):
        Client([b"x" * 1000, (PART + END).replace(b"--b", b"--c")]).read()


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", " GZip "])
def test_an_encoded_body_is_refused_unread(encoding):
    client = Client([PART + END], content_encoding=encoding)
    with pytest.raises(UnsupportedEncoding, match="Content-Encoding") as refused:
        client.read()
    assert client.sent == 0 and refused.value.headers == {"Accept-Encoding": "identity"}


def test_the_encoding_identity_is_none():
    assert Client([PART + END], content_encoding="identity").read() == {"caption": b"a cat"}


def test_disconnect_midway_is_a_bad_request():
    with pytest.raises(BadRequest, match="disconnected"):
        Client([PART], leaves=True).read()


def field(name, data, filename=None):
    label = f'; filename="{filename}"' if filename else ""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{label}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def open_parts(body, most_parts=10, **settings):
    """Names, file names and contents of a form's parts."""

    async def read():
        client = Client([body[:100], body[100:]])
        request, limits = Request(client.scope, client.receive), Settings(**settings)
        async with open_form(request, limits, most_parts) as parts:
            return [(part.name, part.filename, part.read()) for part in parts]

    return asyncio.run(read())


@pytest.mark.parametrize("size", [1000, 10_000])
def test_repeated_fields_keep_order_in_memory_and_file(size):
    big = bytes(range(256)) * size
    body = field("image", big, "a.png") + field("caption", b"one") + field("image", b"2") + END[2:]
    assert open_parts(body) == [
        ("image", "a.png", big), ("caption", "", b"one"), ("image", "", b"2"),
    ]  # fmt: skip


@pytest.fixture
def small_disk():
    """The kernel refuses to write more than 2 MB to any file."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, former[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, former)


@pytest.mark.parametrize("size", [2**21 + 2**13, 2**23])
def test_full_disk_is_one_problem_and_leaves_nothing(small_disk, tmp_path, caplog, size):
    with pytest.raises(StorageFull):
        open_parts(field("image", bytes(size)) + END[2:], temp_folder=tmp_path)
    assert not list(tmp_path.iterdir()) and "File too large" in str(vars(caplog.records[-1]))
    small = field("image", bytes(2**20)) + END[2:]
    assert len(open_parts(small, temp_folder=tmp_path)[0][2]) == 2**20


def test_missing_folder_is_a_problem_too(tmp_path):
    with pytest.raises(StorageFull):
        open_parts(field("image", bytes(2**21)) + END[2:], temp_folder=tmp_path / "gone")


def test_too_many_parts_are_refused():
    with pytest.raises(InvalidField, match="more than 10"):
        open_parts(field("a", b"x") * 11 + END[2:])


def test_part_is_seekable_and_ends_at_its_end():
    inner = FileSlice(io.BytesIO(b"..abcd.."), 2, 4)
    assert (inner.seek(-1, io.SEEK_END), inner.read(9), inner.read(9)) == (3, b"d", b"")
    assert (inner.seek(1), inner.readall(), inner.tell()) == (1, b"bcd", 4)
