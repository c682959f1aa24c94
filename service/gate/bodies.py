"""Request bodies: read no further than their limits, and put away where nobody reads them."""

import asyncio
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLarge, UploadTooSlow
from service.problems import respond
from service.settings import Settings

# What a form may hold besides its picture: boundaries, headers, a caption.
_OVERHEAD = 64 * 1024
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 16 * 2**20


class BodyLimit:
    """Ends a request whose body is too large or too slow, whichever route it goes to.

    The body is counted as it arrives, so a missing or lying Content-Length gains nothing. A route
    that takes n times the bytes gives n times the seconds.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its body watched."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        usual = self._settings.max_bytes
        limit = max(usual, self._settings.body_limits.get(scope["path"].rstrip("/"), 0))
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > limit + _OVERHEAD:
            return await respond(scope, _too_large(limit))(scope, receive, send)
        body = _Watched(receive, send, limit, self._settings.upload_seconds * limit / usual)
        try:
            await self._app(scope, body.receive, body.send)
        finally:
            if body.error is not None and not body.started:
                await respond(scope, body.error)(scope, receive, send)


class _Watched:
    """A body that is counted and timed. Once it has failed, the failure is the only answer."""

    def __init__(self, receive: Receive, send: Send, limit: int, seconds: float) -> None:
        self._receive, self._send, self._limit = receive, send, limit
        self._left = limit + _OVERHEAD
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._seconds = seconds
        self._complete = False
        self.error: BodyTooLarge | UploadTooSlow | None = None
        self.started = False

    async def receive(self) -> Message:
        if self.error is not None:
            raise self.error
        if self._complete:  # what comes now is that the client left: no deadline for that
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            self.error = UploadTooSlow(f"the body took over {self._seconds:g} s")
            raise self.error from error
        self._left -= len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._left < 0:
            self.error = _too_large(self._limit)
            raise self.error
        return message

    async def send(self, message: Message) -> None:
        # A framework may have made something else of the error that it met while reading.
        if self.error is not None and not self.started:
            return
        self.started = True
        await self._send(message)


class Linger:
    """Reads on for a while where an answer was given before the request's body had come.

    The connection is then closed. Closing it with bytes unread would reset it, and the client
    might never see the answer; leaving it open would let a refused client send for ever.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and put the rest of its body away."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            return await self._app(scope, receive, send)
        read = False

        async def watch() -> Message:
            nonlocal read
            message = await receive()
            read = not message.get("more_body", False)
            return message

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and not read:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            elif (
                message["type"] == "http.response.body"
                and not message.get("more_body")
                and not read
            ):
                await send({**message, "more_body": True})
                await _drain(watch, lambda: read)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        return await self._app(scope, watch, answer)


async def _drain(receive: Receive, done: Any) -> None:
    left = _LINGER_BYTES
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while left > 0 and not done():
                left -= len((await receive()).get("body", b""))
    except TimeoutError:
        pass


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"at most {limit:,} bytes are taken")
