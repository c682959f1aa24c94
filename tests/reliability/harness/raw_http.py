"""HTTP/1.1 client over raw sockets, for requests that no client library would send."""

import asyncio
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

BOUNDARY = "a-boundary-of-the-suite"
Fields = list[tuple[str, bytes | str]]
FORM = f"multipart/form-data; boundary={BOUNDARY}"
# An idle connection is not used again after this: the server may have closed it.
_MAX_AGE_SECONDS = 1.0


class ConnectionClosedError(Exception):
    """The connection was closed before the end of a response."""


class WrongResponseError(Exception):
    """The service gave a response that it must not give."""


@dataclass(frozen=True)
class RawResponse:
    """A response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def slug(self) -> str:
        """The name of the problem type; empty if the response is no problem document."""
        if self.headers.get("content-type") != "application/problem+json":
            return ""
        return self.json()["type"].removeprefix("/problems/")


class RawConnection:
    """One connection: sends bytes and reads responses."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Counter[str]
    ) -> None:
        self.reader, self._writer, self._seen = reader, writer, seen
        self.used = time.monotonic()

    @classmethod
    async def open(cls, port: int, seen: Counter[str], receive_buffer: int = 0) -> "RawConnection":
        """Connect; a small receive buffer makes a slow reader."""
        plug = socket.socket()
        if receive_buffer:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plug.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", port))
        limit = receive_buffer or 2**18
        return cls(*await asyncio.open_connection(sock=plug, limit=limit), seen)

    async def send(self, data: bytes) -> None:
        """Send; where the other end has hung up, its answer may lie ready all the same."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            pass

    async def reply(self, *, bodiless: bool = False) -> RawResponse:
        """Read one answer. Each is counted by status and problem."""
        try:
            reply = await self._read(bodiless)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ConnectionClosedError from error
        self._seen[f"{reply.status} {reply.slug}".strip()] += 1
        self.used = time.monotonic()
        return reply

    def finish(self) -> None:
        """Say that nothing more is sent."""
        if self._writer.can_write_eof():
            self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def cut(self) -> None:
        """Vanish without a farewell: the other end sees a reset."""
        plug = self._writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.used < _MAX_AGE_SECONDS

    async def _read(self, bodiless: bool) -> RawResponse:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        version, status, *_ = first.split(" ")
        if version != "HTTP/1.1":
            raise WrongResponseError(f"the answer begins with {first[:60]!r}")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        if status.startswith("1"):
            return await self._read(bodiless)
        empty = bodiless or status in ("204", "304")
        return RawResponse(int(status), headers, b"" if empty else await self._body(headers))

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.read()
        parts = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            parts.append(await self.reader.readexactly(size))
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return b"".join(parts)


class RawClient:
    """Sends whole requests over connections that are kept, as good clients do.

    Nothing is ever sent twice: a request without an answer is a fault of the service.
    """

    def __init__(self, port: int, key: str, seconds: float = 60.0) -> None:
        self.port, self.key, self.seconds = port, key, seconds
        self.seen: Counter[str] = Counter()
        self._idle: list[RawConnection] = []

    async def open(self, receive_buffer: int = 0) -> RawConnection:
        return await RawConnection.open(self.port, self.seen, receive_buffer)

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> RawResponse:
        """Send a request, and read its answer.

        Raises:
            WrongError: there is none, or none in time, or it says that the service failed.
        """
        line = await self._line()
        try:
            async with asyncio.timeout(self.seconds):
                await line.send(self.request(method, path, body, headers))
                reply = await line.reply(bodiless=method == "HEAD")
        except BaseException as error:
            line.close()
            if not isinstance(error, ConnectionClosedError | TimeoutError):
                raise
            raise WrongResponseError(f"{method} {path[:40]}: {type(error).__name__}") from error
        self._keep(line, reply)
        if reply.status >= 500:
            raise WrongResponseError(f"{method} {path[:40]}: {reply.status} {reply.slug}")
        return reply

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> bytes:
        """A request as bytes, with the key and the body's length unless they are given."""
        length = {"Content-Length": str(len(body))} if body or method == "POST" else {}
        own = {"Host": "localhost", "X-API-Key": self.key, **length, **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def close(self) -> None:
        for line in self._idle:
            line.close()
        self._idle.clear()

    async def _line(self) -> RawConnection:
        while self._idle:
            line = self._idle.pop()
            if line.is_fresh:
                return line
            line.close()
        return await self.open()

    def _keep(self, line: RawConnection, reply: RawResponse) -> None:
        if reply.headers.get("connection") == "close":
            line.close()
        else:
            self._idle.append(line)


def multipart_form(fields: Iterable[tuple[str, bytes | str]], filename: str = "a.png") -> bytes:
    """A multipart form with FORM for its type; bytes are sent as files."""
    out = bytearray()
    for name, value in fields:
        label = f'; filename="{quote(filename)}"' if isinstance(value, bytes) else ""
        out += (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{label}\r\n\r\n'.encode()
        )
        out += (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return bytes(out) + f"--{BOUNDARY}--\r\n".encode()
