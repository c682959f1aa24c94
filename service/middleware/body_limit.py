"""Request bodies: limits of size, time and memory, and draining of bodies that no route reads."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captionfill.errors import CaptionfillError
from service.auth.authentication import route_path
from service.config.settings import Settings
from service.errors.queue import TooManyAtOnce, UploadsFull
from service.errors.requests import BodyTooLarge, UploadTooSlow
from service.middleware.problem_response import respond

# What a form may have beside its picture [bytes]: boundaries, headers, a caption.
OVERHEAD = 64 * 1024
_LIMIT_ERRORS = (BodyTooLarge, UploadTooSlow, TooManyAtOnce, UploadsFull)
_DRAIN_SECONDS = 2.0
_DRAIN_BYTES = 16 * 2**20


class ByteBudget:
    """Limits the bytes of all open request bodies, in memory or on disk.

    A body may be in memory as a whole once it has arrived, so spooling does not lift the limit. One
    caller may use half of it, and always enough for one body of the largest size.
    """

    def __init__(self, settings: Settings) -> None:
        largest = max(settings.max_bytes, *settings.body_limits.values(), 0) + OVERHEAD
        self._limit = max(settings.max_upload_bytes, largest)
        self._caller_limit = max(self._limit // 2, largest)
        self._reserved = 0
        self._by_caller: Counter[str] = Counter()

    def reserve(self, caller: str, count: int) -> None:
        """Reserve bytes; raise `TooManyAtOnce` or `UploadsFull` beyond a limit."""
        if self._by_caller[caller] + count > self._caller_limit:
            raise TooManyAtOnce(
                f"at most {self._caller_limit:,} bytes of one caller's uploads at once"
            )
        if self._reserved + count > self._limit:
            raise UploadsFull(f"at most {self._limit:,} bytes of uploads are open at once")
        self._reserved += count
        self._by_caller[caller] += count

    def release(self, caller: str, count: int) -> None:
        """Release reserved bytes."""
        self._reserved -= count
        self._by_caller[caller] -= count
        if not self._by_caller[caller]:
            del self._by_caller[caller]


class BodyLimit:
    """Ends a request whose body is too large or too slow, or exceeds the budget of bytes.

    All routes' bodies are limited here. Bytes are counted as they arrive, so a missing or wrong
    Content-Length changes nothing. A route with n times the size limit has n times the time limit.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._budget = ByteBudget(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a limited body."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        default = self._settings.max_bytes
        limit = max(default, self._settings.body_limits.get(route_path(scope).rstrip("/"), 0))
        caller = scope.get("state", {}).get("caller_id", "")
        reservation = _Reservation(self._budget, caller, limit)
        timeout = self._settings.upload_timeout * limit / default
        body = _LimitedBody(receive, send, reservation, timeout)
        try:
            reservation.reserve_declared(Headers(scope=scope).get("content-length", ""))
            await self._app(scope, body.receive, body.send)
        except _LIMIT_ERRORS as error:
            body.error = body.error or error
        finally:
            reservation.release()
            if body.error is not None and not body.started:
                await respond(scope, body.error)(scope, receive, send)


class _Reservation:
    """The bytes reserved for one body: its declared length, then what exceeds that."""

    def __init__(self, budget: ByteBudget, caller: str, limit: int) -> None:
        self._budget, self._caller, self._limit = budget, caller, limit
        self._reserved = self._arrived = 0

    def reserve_declared(self, content_length: str) -> None:
        if content_length.isdecimal():
            self._grow(int(content_length[:20]))

    def add(self, count: int) -> None:
        self._arrived += count
        if self._arrived > self._reserved:
            self._grow(self._arrived)

    def release(self) -> None:
        self._budget.release(self._caller, self._reserved)

    def _grow(self, total: int) -> None:
        if total > self._limit + OVERHEAD:
            raise BodyTooLarge(f"the body may have at most {self._limit:,} bytes")
        self._budget.reserve(self._caller, total - self._reserved)
        self._reserved = total


class _LimitedBody:
    """A counted body with a deadline. After an error nothing but the error is sent."""

    def __init__(
        self, receive: Receive, send: Send, reservation: _Reservation, timeout: float
    ) -> None:
        self._receive, self._send, self._reservation = receive, send, reservation
        self._timeout = timeout
        self._deadline = asyncio.get_running_loop().time() + timeout
        self._complete = False
        self.error: CaptionfillError | None = None
        self.started = False

    async def receive(self) -> Message:
        if self.error is not None:
            raise self.error
        if self._complete:  # only a disconnection can follow, which has no deadline
            return await self._receive()
        try:
            message = await self._receive_in_time()
        except _LIMIT_ERRORS as error:
            self.error = error
            raise
        self._complete = not message.get("more_body", False)
        return message

    async def _receive_in_time(self) -> Message:
        late = UploadTooSlow(f"the body took over {self._timeout:g} s")
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise late from error
        if asyncio.get_running_loop().time() > self._deadline:  # asyncio checks only when it waits
            raise late
        self._reservation.add(len(message.get("body", b"")))
        return message

    async def send(self, message: Message) -> None:
        # The framework may respond to the error with one of its own.
        if self.error is not None and not self.started:
            return
        self.started = True
        await self._send(message)


class DrainBody:
    """Reads the rest of a body for a while if the response comes before its end.

    The connection is then closed. Closing it with unread bytes would reset it, and the client might
    never see the response; leaving it open would let a refused client send for ever.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and drain its body."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            return await self._app(scope, receive, send)
        complete = False

        async def watched_receive() -> Message:
            nonlocal complete
            message = await receive()
            complete = not message.get("more_body", False)
            return message

        async def draining_send(message: Message) -> None:
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if message["type"] == "http.response.start" and not complete:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            elif is_last and not complete:
                await send({**message, "more_body": True})
                await _drain(watched_receive, lambda: complete)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        return await self._app(scope, watched_receive, draining_send)


async def _drain(receive: Receive, is_complete: Callable[[], bool]) -> None:
    left = _DRAIN_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0 and not is_complete():
                left -= len((await receive()).get("body", b""))


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
