"""A receiver of webhooks on loopback, in the loop of the test."""

import asyncio
from contextlib import asynccontextmanager

import pytest

SECRET = "whsec_" + "QUFB" * 8


class Receiver:
    """Keeps every request, and answers with the statuses it was given, the last one for ever."""

    def __init__(self, *statuses, silent=False):
        self.statuses, self.silent = list(statuses) or [204], silent
        self.requests, self.port = [], 0

    @asynccontextmanager
    async def listening(self, tls=None):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((first, dict(line.split(": ", 1) for line in lines), body))
        if not self.silent:
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            where = "Location: /elsewhere\r\n" if 300 <= status < 400 else ""
            writer.write(f"HTTP/1.1 {status} X\r\n{where}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()

    async def hears(self, count, seconds=60):
        """Wait for some requests."""
        async with asyncio.timeout(seconds):
            while len(self.requests) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
def receiver():
    return Receiver


@pytest.fixture
def secret():
    return SECRET
