"""What a connection may do before it is a request: uvicorn's HTTP/1.1, with deadlines and limits.

uvicorn waits for ever for a request's headers and for a client to take its answer on, and answers
some malformed requests with a traceback in the log. Here each of these ends with a problem
document, or at least with the connection.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, ClassVar

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from captionfill.errors import CaptionfillError
from service.api.server.half_close import PeerProbe
from service.api.server.request_target import origin_form
from service.config.settings import Settings
from service.errors.catalogue import MEDIA_TYPE
from service.errors.requests import HeadersTooLarge, HeadersTooSlow, MalformedHttp

log = logging.getLogger("captionfill.api")

_LINGER_SECONDS = 1.0
# What a client that has just connected has to begin its request when the server ends.
_FIRST_WORDS_SECONDS = 3.0
# Empty lines that are skipped before a request line (RFC 9112, 2.2: at least one).
_MAX_EMPTY_LINES = 16
_CUT_SHORT = "the connection ended in the middle of the request"


def guarded_protocol(
    settings: Settings, observe: Callable[[str], None] = lambda _: None
) -> type[H11Protocol]:
    """The protocol class for these settings: uvicorn makes one for each connection.

    Args:
        settings: with the limits.
        observe: told the slug of every problem that is answered here.
    """
    limits = {
        "header_timeout": settings.header_timeout,
        "header_bytes": settings.max_header_bytes,
        "write_timeout": settings.upload_timeout,
        "observe": staticmethod(observe),
    }
    return type("Protocol", (GuardedProtocol,), limits)


class GuardedProtocol(H11Protocol):
    """One connection."""

    header_timeout: ClassVar[float]
    header_bytes: ClassVar[int]
    write_timeout: ClassVar[float]
    observe: ClassVar["staticmethod[[str], None]"]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn: _Connection = _Connection(self.header_bytes)
        self._headers_due: asyncio.TimerHandle | None = None
        self._answer_due: asyncio.TimerHandle | None = None
        self._refused = False
        self._half_closed = False
        self._probe: PeerProbe | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request."""
        super().connection_made(transport)
        self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every clock."""
        self.resume_writing()
        _cancel(self._headers_due)
        if self._probe is not None:
            self._probe.stop()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client sends no more: what it has asked for in full is still answered.

        Returns:
            True to keep the connection open for the answer.
        """
        if self._refused or not self.transport.can_write_eof():  # TLS has no half-closed state
            return None
        self._half_closed = True
        if self._is_incomplete():
            self._refuse(MalformedHttp(_CUT_SHORT))
        elif not self._is_answering():
            return None
        elif self._probe is None:
            old = self.scope["http_version"] == "1.0"
            interim = None if old else self._send_interim
            self._probe = PeerProbe(self.loop, interim, self._give_up)
        return True

    def on_response_complete(self) -> None:
        """Go on to the next request; after the last one of a half-closed connection, close."""
        super().on_response_complete()
        if not self._half_closed or self.transport.is_closing():
            return
        if self._is_incomplete():
            self._refuse(MalformedHttp(_CUT_SHORT))
        elif not self._is_answering():
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Read on, unless the request has been refused: what then comes is thrown away."""
        if not self._refused:
            super().data_received(data)
            self._watch_headers()

    def shutdown(self) -> None:
        """End after the answer that is due, as uvicorn does; but not before anything was asked.

        A connection may be taken in a moment before the server ends, with its request on the way:
        closed at once, as if it were idle, it would lose that request.
        """
        if self.cycle is None:
            self.loop.call_later(_FIRST_WORDS_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """The client takes its answer on too slowly: from here on, its time runs."""
        super().pause_writing()
        self._answer_due = self.loop.call_later(self.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has caught up."""
        _cancel(self._answer_due)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what h11 could not read."""
        if self.conn.too_large:
            self._refuse(HeadersTooLarge(f"at most {self.header_bytes:,} bytes are taken"))
        else:
            self._refuse(MalformedHttp("this is no HTTP/1.1 request"))

    def _watch_headers(self) -> None:
        """Let the clock run while headers are due. Between requests uvicorn's own one runs."""
        due = self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None
        if not due:
            _cancel(self._headers_due)
            self._headers_due = None
        elif self._headers_due is None:
            self._headers_due = self.loop.call_later(self.header_timeout, self._too_slow)

    def _too_slow(self) -> None:
        if self.conn.trailing_data[0]:
            self._refuse(HeadersTooSlow(f"the headers took over {self.header_timeout:g} s"))
        else:  # nothing was ever asked
            self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _is_incomplete(self) -> bool:
        """Whether a part of a request has come and the rest has not."""
        state = self.conn.their_state
        return state is h11.SEND_BODY or (state is h11.IDLE and bool(self.conn.trailing_data[0]))

    def _send_interim(self) -> None:
        if self.conn.our_state is h11.SEND_RESPONSE:
            interim = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self.transport.write(self.conn.send(interim))

    def _give_up(self) -> None:
        """Take a half-closed client for gone, unless its answer has begun: writing it will tell."""
        if self._is_answering() and not self.cycle.response_started:
            self.transport.abort()

    def _refuse(self, error: CaptionfillError) -> None:
        """Answer with a problem where there is still room for an answer, and close."""
        self._refused = True
        log.info("refused", extra={"problem": error.slug})
        self.observe(error.slug)
        running = self._is_answering()
        if running:  # the route must not answer as well
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        half_answered = running and self.cycle.response_started
        if half_answered or self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        self._send_problem(error)
        self._close_gently()

    def _send_problem(self, error: CaptionfillError) -> None:
        body = json.dumps(error.problem()).encode()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        answer = h11.Response(status_code=error.status, headers=headers)
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))

    def _close_gently(self) -> None:
        """Read on for a moment: to close with bytes unread would destroy the answer on its way."""
        if self._half_closed or not self.transport.can_write_eof():
            self.transport.close()
            return
        try:
            self.transport.write_eof()
        except OSError:  # the client reset the connection while the answer was written
            self.transport.close()
        else:
            self.loop.call_later(_LINGER_SECONDS, self.transport.close)


class _Connection(h11.Connection):
    """h11's connection; it limits headers that came in one piece, too.

    It skips empty lines before a request line and knows absolute-form targets, which h11 does not.

    Attributes:
        too_large: what was wrong with the last event is its size.
    """

    def __init__(self, header_bytes: int) -> None:
        super().__init__(h11.SERVER, header_bytes)
        self._header_bytes = header_bytes
        self._empty_lines = 0
        self.too_large = False

    def next_event(self) -> Any:
        if self.their_state is h11.IDLE:
            self._skip_empty_lines()
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            self.too_large = error.error_status_hint == 431
            raise
        if isinstance(event, h11.Request):
            if event.http_version not in (b"1.0", b"1.1"):
                raise h11.RemoteProtocolError("unknown version")
            size = len(event.target) + sum(len(name) + len(value) for name, value in event.headers)
            if size > self._header_bytes:
                self.too_large = True
                raise h11.RemoteProtocolError("headers too large", error_status_hint=431)
            self._empty_lines = 0
            return origin_form(event)
        return event

    def _skip_empty_lines(self) -> None:
        # h11 has no public way to take bytes back out of its buffer.
        while self._empty_lines < _MAX_EMPTY_LINES:
            received = self.trailing_data[0]
            length = 2 if received[:2] == b"\r\n" else 1 if received[:1] == b"\n" else 0
            if not length:
                return
            self._receive_buffer.maybe_extract_at_most(length)
            self._empty_lines += 1


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    """Stop a clock, if it runs."""
    if timer is not None:
        timer.cancel()
