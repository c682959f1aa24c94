"""Request bodies: read no further than their limits, and put away where nobody reads them."""

import asyncio
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captionfill.errors import CaptionfillError
from service.config.settings import Settings
from service.errors.capacity import TooManyAtOnce, UploadsFull
from service.errors.requests import BodyTooLarge, UploadTooSlow
from service.errors.responses import respond, route_path
from service.middleware.caller_limits import OVERHEAD, ByteBudget

_LIMITS = (BodyTooLarge, UploadTooSlow, TooManyAtOnce, UploadsFull)
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 16 * 2**20


class BodyLimit:
    """Ends a request whose body is too large, too slow, or too much beside the others in hand.

    This is the one place where bodies are limited, for every route. They are counted as they
    arrive, so a missing or lying Content-Length gains nothing. A route that takes n times the
    bytes gives n times the seconds.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._budget = ByteBudget(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its body watched."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        usual = self._settings.max_bytes
        limit = max(usual, self._settings.body_limits.get(route_path(scope).rstrip("/"), 0))
        room = _Room(self._budget, scope.get("state", {}).get("caller_id", ""), limit)
        body = _Watched(receive, send, room, self._settings.upload_timeout * limit / usual)
        try:
            room.announce(Headers(scope=scope).get("content-length", ""))
            await self._app(scope, body.receive, body.send)
        except _LIMITS as error:
            body.error = body.error or error
        finally:
            room.close()
            if body.error is not None and not body.started:
                await respond(scope, body.error)(scope, receive, send)


class _Room:
    """The room that one body takes: what it announces at once, what exceeds that as it comes."""

    def __init__(self, budget: ByteBudget, caller: str, limit: int) -> None:
        self._budget, self._caller, self._limit = budget, caller, limit
        self._reserved = self._arrived = 0

    def announce(self, length: str) -> None:
        """Reserve what a Content-Length says, or raise before anything is read."""
        if length.isdecimal():
            self._grow(int(length[:20]))

    def add(self, count: int) -> None:
        """Count bytes that have arrived."""
        self._arrived += count
        if self._arrived > self._reserved:
            self._grow(self._arrived)

    def close(self) -> None:
        """Give all of it back."""
        self._budget.release(self._caller, self._reserved)
        self._reserved = 0

    def _grow(self, total: int) -> None:
        if total > self._limit + OVERHEAD:
            raise BodyTooLarge(f"at most {self._limit:,} bytes are taken")
        self._budget.reserve(self._caller, total - self._reserved)
        self._reserved = total


class _Watched:
    """A body that is counted and timed. Once it has failed, the failure is the only answer."""

    def __init__(self, receive: Receive, send: Send, room: _Room, seconds: float) -> None:
        self._receive, self._send, self._room = receive, send, room
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._seconds = seconds
        self._complete = False
        self.error: CaptionfillError | None = None
        self.started = False

    async def receive(self) -> Message:
        if self.error is not None:
            raise self.error
        if self._complete:  # what comes now is that the client left: no deadline for that
            return await self._receive()
        try:
            message = await self._next()
        except _LIMITS as error:
            self.error = error
            raise
        self._complete = not message.get("more_body", False)
        return message

    async def _next(self) -> Message:
        late = UploadTooSlow(f"the body took over {self._seconds:g} s")
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise late from error
        if asyncio.get_running_loop().time() > self._deadline:  # it never had to wait
            raise late
        self._room.add(len(message.get("body", b"")))
        return message

    async def send(self, message: Message) -> None:
        # A framework may have made something else of the error that it met while reading.
        if self.error is not None and not self.started:
            return
        self.started = True
        await self._send(message)


class DrainBody:
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
