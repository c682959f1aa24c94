"""Multipart form bodies, streamed to a temporary file. `BodyLimit` bounds their size and time.

Starlette's own form parser is not used: it spools each part to a file of its own in the system's
folder, limits neither the number of parts nor the disk, and keeps no order.
"""

import io
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING

from anyio import to_thread
from python_multipart.exceptions import ParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from captionfill.errors import InvalidField, InvalidMask
from service.config.settings import Settings
from service.errors.queue import StorageFull
from service.errors.requests import BadRequest, UnsupportedBody, UnsupportedEncoding

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from python_multipart.multipart import MultipartCallbacks

log = logging.getLogger("captionfill.api")

_MEMORY_BYTES = 2**20
_DEFAULT_PARTS = 32


class FileSlice(io.RawIOBase):
    """Reads and seeks within a section of a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size, self._position = file, start, size, 0

    def readable(self) -> bool:
        """Always true."""
        return True

    seekable = readable

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move within the section; raises `ValueError` for a position before its beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the beginning")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read up to the end of the section."""
        view = memoryview(buffer)
        count = max(0, min(len(view), self._size - self._position))
        self._file.seek(self._start + self._position)
        data = self._file.read(count)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


@dataclass(frozen=True)
class FormPart:
    """A part of a form. Its bytes are a section of a file that exists while the form is open.

    Attributes:
        filename: as the client sent it; never used as a path.
    """

    name: str
    filename: str
    start: int
    size: int
    _spool: IO[bytes]

    @property
    def is_unset(self) -> bool:
        """Whether it is what a browser sends for a file that was not chosen.

        An HTML form gives it no name, and a script's empty `Blob` has the name "blob".
        """
        return not self.size and self.filename in ("", "blob")

    def open(self) -> IO[bytes]:
        """The part as a seekable file."""
        return io.BufferedReader(FileSlice(self._spool, self.start, self.size))

    def read(self) -> bytes:
        """All bytes of the part."""
        self._spool.seek(self.start)
        return self._spool.read(self.size)


@asynccontextmanager
async def open_form(
    request: Request, settings: Settings, max_parts: int = _DEFAULT_PARTS
) -> AsyncIterator[list[FormPart]]:
    """Read a multipart form; its parts are in the order of the body, names may repeat.

    From 1 MB on the body lies in an unnamed temporary file, which no crash leaves behind.

    Raises:
        UnsupportedEncoding, UnsupportedBody, BadRequest, StorageFull, InvalidField.
    """
    boundary = _boundary(request)
    folder = None if settings.temp_folder is None else str(settings.temp_folder)
    spool = SpooledTemporaryFile(_MEMORY_BYTES, dir=folder)  # noqa: SIM115
    try:
        parts = _PartCollector(spool, max_parts)
        await _read_body(request, parts, boundary)
        yield parts.found
    finally:
        with suppress(OSError):  # closing flushes; a full disk no longer matters
            spool.close()


async def read_form(request: Request, settings: Settings) -> dict[str, bytes]:
    """The bytes of each part of a form by its name; raises as `open_form` and `fields_by_name`."""
    async with open_form(request, settings) as parts:
        refuse_empty_mask(parts)
        return fields_by_name(parts)


def refuse_empty_mask(parts: Sequence[FormPart]) -> None:
    """Raise `InvalidMask` for an empty file; a file that was not chosen counts as no mask."""
    if any(part.name == "mask" and not part.size and not part.is_unset for part in parts):
        raise InvalidMask("mask is an empty file")


def fields_by_name(parts: Sequence[FormPart]) -> dict[str, bytes]:
    """The bytes of each part by its name.

    Raises:
        InvalidField: a name occurs twice.
    """
    fields: dict[str, bytes] = {}
    for part in parts:
        if part.name in fields:
            raise InvalidField(f"the field {part.name[:40]!r} was sent twice")
        fields[part.name] = part.read()
    return fields


async def _read_body(request: Request, parts: "_PartCollector", boundary: bytes) -> None:
    parser, preamble = MultipartParser(boundary, callbacks=parts.callbacks()), Preamble(boundary)
    try:
        async for chunk in request.stream():
            body = preamble.skip(chunk)
            if parts.spool.tell() + len(body) > _MEMORY_BYTES:  # it may block: written to the disk
                await to_thread.run_sync(parser.write, body)
            elif body:
                parser.write(body)
        parts.spool.flush()
    except ParseError as error:
        raise BadRequest("the multipart form is malformed") from error
    except ClientDisconnect as error:
        raise BadRequest("the client disconnected before the end of the form") from error
    except OSError as error:
        log.warning("upload not written", extra={"reason": error.strerror or str(error)})
        raise StorageFull("the upload could not be written to disk; nothing was queued") from error
    if not preamble.is_over:
        raise BadRequest("the body has no line with the boundary that Content-Type names")
    if not parts.complete:
        raise BadRequest("the multipart form ends before its last boundary")


def _boundary(request: Request) -> bytes:
    encoding = request.headers.get("content-encoding", "")
    if encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedEncoding(
            f"Content-Encoding {encoding[:40]!r} is not supported; send the body without one"
        )
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 256:
        raise UnsupportedBody("send a form as multipart/form-data, with a boundary")
    return boundary


class Preamble:
    """Skips the preamble of a chunked multipart body (RFC 2046), buffering at most a boundary."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\n--" + boundary
        # The first boundary must begin a line; so does the body itself.
        self._buffer = b"\n"
        self.is_over = False

    def skip(self, chunk: bytes) -> bytes:
        """The chunk without what belongs to the preamble."""
        if self.is_over:
            return chunk
        buffer = self._buffer + chunk
        start = buffer.find(self._delimiter)
        if start == -1:
            self._buffer = buffer[-len(self._delimiter) + 1 :]
            return b""
        self.is_over, self._buffer = True, b""
        return buffer[start + 1 :]


@dataclass
class _PartCollector:
    """Collects the parts of a form from the parser's callbacks."""

    spool: IO[bytes]
    max_parts: int
    found: list[FormPart] = field(default_factory=list)
    complete: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _name: str = ""
    _filename: str = ""
    _start: int = 0

    def callbacks(self) -> "MultipartCallbacks":
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
        if len(self.found) == self.max_parts:
            raise InvalidField(f"the form has more than {self.max_parts} parts")
        self._name, self._filename, self._start = "", "", self.spool.tell()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            self._filename = options.get(b"filename", b"").decode("utf-8", "replace")
        self._header, self._value = bytearray(), bytearray()

    def _write(self, data: bytes, start: int, end: int) -> None:
        self.spool.write(data[start:end])

    def _end(self) -> None:
        if not self._name:
            raise BadRequest("a part of the form has no name")
        size = self.spool.tell() - self._start
        self.found.append(FormPart(self._name, self._filename, self._start, size, self.spool))

    def _finish(self) -> None:
        self.complete = True
