"""Request bodies: a multipart form, read no further than its limits go."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import ParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from service.errors import BadRequest, BodyTooLarge, InvalidField, UnsupportedBody, UploadTooSlow
from service.settings import Settings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# What a form may hold besides its picture: boundaries, headers, a caption.
_OVERHEAD = 64 * 1024


async def read_form(request: Request, settings: Settings) -> dict[str, bytes]:
    """Read a multipart form as raw bytes by field name, whatever its parts call themselves.

    The body is counted as it arrives, so a missing or lying Content-Length gains nothing.

    Raises:
        UnsupportedBody, BadRequest, BodyTooLarge, UploadTooSlow, InvalidField.
    """
    parts = _Parts()
    parser = MultipartParser(_boundary(request), callbacks=parts.callbacks())
    limit = settings.max_bytes + _OVERHEAD
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise BodyTooLarge(f"at most {settings.max_bytes:,} bytes are taken")
    size = 0
    try:
        async with asyncio.timeout(settings.upload_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise BodyTooLarge(f"at most {settings.max_bytes:,} bytes are taken")
                if chunk:
                    parser.write(chunk)
    except ParseError as error:
        raise BadRequest("the multipart form is malformed") from error
    except ClientDisconnect as error:
        raise BadRequest("the client left before the end of the form") from error
    except TimeoutError as error:
        raise UploadTooSlow(f"the form took over {settings.upload_seconds:g} s") from error
    if not parts.complete:
        raise BadRequest("the multipart form ends before its last boundary")
    return parts.fields


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 256:
        raise UnsupportedBody("send multipart/form-data with the fields image and caption")
    return boundary


@dataclass
class _Parts:
    """Collects the parts of a form as the parser meets them."""

    fields: dict[str, bytes] = field(default_factory=dict)
    complete: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _body: bytearray = field(default_factory=bytearray)
    _name: str | None = None

    def callbacks(self) -> "MultipartCallbacks":
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._body.extend(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._name, self._body = None, bytearray()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._header, self._value = bytearray(), bytearray()

    def _end(self) -> None:
        if not self._name:
            raise BadRequest("a part of the form has no name")
        if self._name in self.fields:
            raise InvalidField(f"the field {self._name[:40]!r} is there twice")
        self.fields[self._name] = bytes(self._body)

    def _finish(self) -> None:
        self.complete = True
