"""Request bodies: a multipart form, spooled to disk. `gate/bodies.py` limits its size and time."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING

from anyio import to_thread
from python_multipart.exceptions import ParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from captionfill.errors import InvalidField
from service.api.forms.file_slice import FileSlice
from service.api.forms.preamble import Preamble
from service.config.settings import Settings
from service.errors.capacity import StorageFull
from service.errors.requests import BadRequest, UnsupportedBody, UnsupportedEncoding

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

log = logging.getLogger("captionfill.api")

_IN_MEMORY = 2**20
_FEW_PARTS = 32


@dataclass(frozen=True)
class FormPart:
    """A part of a form; ``filename`` is what the client calls it, and nothing but a label.

    Its bytes lie in a file that all parts share and that is gone when the form is.
    """

    name: str
    filename: str
    start: int
    size: int
    _spool: IO[bytes]

    def open(self) -> IO[bytes]:
        """The part as a file to read and to seek in."""
        return BufferedReader(FileSlice(self._spool, self.start, self.size))

    def read(self) -> bytes:
        """The part's bytes, all of them."""
        return self.open().read()


async def read_form(request: Request, settings: Settings) -> dict[str, bytes]:
    """Read a multipart form as raw bytes by field name, whatever its parts call themselves.

    Raises:
        UnsupportedEncoding, UnsupportedBody, BadRequest, StorageFull, InvalidField.
    """
    async with open_form(request, settings, _FEW_PARTS) as parts:
        return fields_by_name(parts)


@asynccontextmanager
async def open_form(
    request: Request, settings: Settings, most_parts: int
) -> AsyncIterator[list[FormPart]]:
    """Read a multipart form whose fields may come again, in their order.

    From 1 MB on it lies in a nameless temporary file, which no end of the process leaves behind.

    Args:
        request: its body is read.
        settings: where that file is to be.
        most_parts: there may be.

    Raises:
        UnsupportedEncoding, UnsupportedBody, BadRequest, StorageFull, InvalidField.
    """
    boundary = _boundary(request)
    with _spool(settings) as spool:
        parts = _Parts(spool, most_parts)
        await _feed(request, parts, boundary)
        yield parts.found


@contextmanager
def _spool(settings: Settings) -> Iterator[IO[bytes]]:
    folder = None if settings.temp_folder is None else str(settings.temp_folder)
    spool = SpooledTemporaryFile(_IN_MEMORY, dir=folder)  # noqa: SIM115
    try:
        yield spool
    finally:
        with suppress(OSError):  # what could not be written is not wanted any more
            spool.close()


def fields_by_name(parts: list[FormPart]) -> dict[str, bytes]:
    """The bytes of each part by its name.

    Raises:
        InvalidField: a name is there twice.
    """
    fields: dict[str, bytes] = {}
    for part in parts:
        if part.name in fields:
            raise InvalidField(f"the field {part.name[:40]!r} is there twice")
        fields[part.name] = part.read()
    return fields


async def _feed(request: Request, parts: "_Parts", boundary: bytes) -> None:
    parser, preamble = MultipartParser(boundary, callbacks=parts.callbacks()), Preamble(boundary)
    try:
        async for chunk in request.stream():
            if body := preamble.skip(chunk):
                await _write(parser, body, parts)
        parts.spool.flush()
    except ParseError as error:
        raise BadRequest("the multipart form is malformed") from error
    except ClientDisconnect as error:
        raise BadRequest("the client left before the end of the form") from error
    except OSError as error:
        log.warning("upload not written", extra={"reason": error.strerror or str(error)})
        raise StorageFull("the upload could not be written to disk; nothing was queued") from error
    if not preamble.is_over:
        raise BadRequest("the body has no line with the boundary that Content-Type names")
    if not parts.complete:
        raise BadRequest("the multipart form ends before its last boundary")


async def _write(parser: MultipartParser, body: bytes, parts: "_Parts") -> None:
    """Parse a piece; in a thread where that may write to the disk, which others must not await."""
    if parts.size + len(body) > _IN_MEMORY:
        await to_thread.run_sync(parser.write, body)
    else:
        parser.write(body)


def _boundary(request: Request) -> bytes:
    encoding = request.headers.get("content-encoding", "")
    if encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedEncoding(
            f"Content-Encoding {encoding[:40]!r} is not taken; send the body without one"
        )
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 256:
        raise UnsupportedBody("send a form as multipart/form-data, with a boundary")
    return boundary


@dataclass
class _Parts:
    """Collects the parts of a form as the parser meets them."""

    spool: IO[bytes]
    most: int
    found: list[FormPart] = field(default_factory=list)
    complete: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _name: str = ""
    _filename: str = ""
    _start: int = 0

    def callbacks(self) -> "MultipartCallbacks":
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": self._write,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self.found) == self.most:
            raise InvalidField(f"the form has more than {self.most} parts")
        self._name, self._filename, self._start = "", "", self.spool.tell()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            self._filename = options.get(b"filename", b"").decode("utf-8", "replace")
        self._header, self._value = bytearray(), bytearray()

    @property
    def size(self) -> int:
        """Bytes in the spool."""
        return self.spool.tell()

    def _write(self, data: bytes, start: int, end: int) -> None:
        self.spool.write(data[start:end])

    def _end(self) -> None:
        if not self._name:
            raise BadRequest("a part of the form has no name")
        size = self.spool.tell() - self._start
        self.found.append(FormPart(self._name, self._filename, self._start, size, self.spool))

    def _finish(self) -> None:
        self.complete = True
