"""uvicorn's HTTP/1.1 protocol with timeouts and limits for a connection.

uvicorn waits without limit for the headers of a request and for a client to read its response, and
logs a traceback for some malformed requests. Here each of these ends with a problem document, or
with the end of the connection.
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
from service.api.server.h11_connection import Connection
from service.api.server.half_close import PeerProbe
from service.config.settings import Settings
from service.errors.catalogue import MEDIA_TYPE
from service.errors.requests import HeadersTooLarge, HeadersTooSlow, MalformedHttp

log = logging.getLogger("captionfill.api")

_DRAIN_SECONDS = 1.0
# How long a new connection may take to send its first request when the server shuts down.
_FIRST_REQUEST_SECONDS = 3.0
_CUT_SHORT = "the connection ended in the middle of the request"


def guarded_protocol(
    settings: Settings, observe: Callable[[str], None] = lambda _: None
) -> type[H11Protocol]:
    """A protocol class with these settings; uvicorn makes an instance for each connection.

    ``observe`` is called with the slug of every problem that is sent here.
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
        self.conn: Connection = Connection(self.header_bytes)
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._half_closed = False
        self._probe: PeerProbe | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the headers of the first request."""
        super().connection_made(transport)
        self._update_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self.resume_writing()
        _cancel(self._header_timer)
        if self._probe is not None:
            self._probe.stop()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client has ended its sending side; True keeps the connection open to respond."""
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
            self._probe = PeerProbe(self.loop, interim, self._abort_unanswered)
        return True

    def on_response_complete(self) -> None:
        """Continue with the next request; close a half-closed connection after the last one."""
        super().on_response_complete()
        if not self._half_closed or self.transport.is_closing():
            return
        if self._is_incomplete():
            self._refuse(MalformedHttp(_CUT_SHORT))
        elif not self._is_answering():
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; after a refused request they are discarded."""
        if not self._refused:
            super().data_received(data)
            self._update_header_timer()

    def shutdown(self) -> None:
        """Close after the current response, as uvicorn does; wait a little for a first request.

        A connection may be accepted just before the shutdown, with its request still in transit;
        uvicorn would close it as idle.
        """
        if self.cycle is None:
            self.loop.call_later(_FIRST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """The client reads too slowly: start the write timer."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again: stop the write timer."""
        _cancel(self._write_timer)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Respond to a request that h11 could not parse."""
        if self.conn.too_large:
            self._refuse(HeadersTooLarge(f"at most {self.header_bytes:,} bytes are allowed"))
        else:
            self._refuse(MalformedHttp("this is not an HTTP/1.1 request"))

    def _update_header_timer(self) -> None:
        """Run the timer while headers are expected. Between requests uvicorn's own timer runs."""
        due = self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None
        if not due:
            _cancel(self._header_timer)
            self._header_timer = None
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(self.header_timeout, self._headers_timed_out)

    def _headers_timed_out(self) -> None:
        if self.conn.trailing_data[0]:
            self._refuse(HeadersTooSlow(f"the headers took over {self.header_timeout:g} s"))
        else:  # the client has sent nothing
            self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _is_incomplete(self) -> bool:
        """Whether a request has arrived in part."""
        state = self.conn.their_state
        return state is h11.SEND_BODY or (state is h11.IDLE and bool(self.conn.trailing_data[0]))

    def _send_interim(self) -> None:
        if self.conn.our_state is h11.SEND_RESPONSE:
            interim = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self.transport.write(self.conn.send(interim))

    def _abort_unanswered(self) -> None:
        """Close a half-closed connection unless its response has begun; writes detect that."""
        if self._is_answering() and not self.cycle.response_started:
            self.transport.abort()

    def _refuse(self, error: CaptionfillError) -> None:
        """Send a problem document if no response has begun, and close."""
        self._refused = True
        log.info("refused", extra={"problem": error.slug})
        self.observe(error.slug)
        is_answering = self._is_answering()
        if is_answering:  # the route must not respond as well
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        has_begun = is_answering and self.cycle.response_started
        if has_begun or self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        self._send_problem(error)
        self._close_after_drain()

    def _send_problem(self, error: CaptionfillError) -> None:
        body = json.dumps(error.problem()).encode()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        response = h11.Response(status_code=error.status, headers=headers)
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))

    def _close_after_drain(self) -> None:
        """Discard input for a moment; closing with unread bytes would reset the connection."""
        if self._half_closed or not self.transport.can_write_eof():
            self.transport.close()
            return
        try:
            self.transport.write_eof()
        except OSError:  # the client reset the connection meanwhile
            self.transport.close()
        else:
            self.loop.call_later(_DRAIN_SECONDS, self.transport.close)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
