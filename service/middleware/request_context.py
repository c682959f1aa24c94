"""The outermost middleware: request id, common headers, access log, and unexpected errors.

Pure ASGI, so that bodies are streamed in both directions.
"""

import logging
import re
import time
from collections.abc import Callable, Sequence
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors.responses import respond
from service.observability import logs
from service.observability.request_record import RequestRecord
from service.observability.tracing import request_span

log = logging.getLogger("captionfill.api")

_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RequestContext:
    """Gives each request an id, adds headers to its response, and calls the observers."""

    def __init__(
        self, app: ASGIApp, observers: Sequence[Callable[[RequestRecord], None]] = ()
    ) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an unexpected error becomes a problem document here."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        name = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = name
        record = RequestRecord(_method(scope))
        start = time.perf_counter()

        async def recording_send(message: Message) -> None:
            _update(record, message)
            if message["type"] == "http.response.start":
                _add_headers(message, name)
            await send(message)

        headers = {"traceparent": Headers(scope=scope).get("traceparent", "")}
        with logs.bound(request_id=name), request_span(record.method, headers) as finish:
            try:
                await self._app(scope, receive, recording_send)
            except ClientDisconnect:
                log.info("client disconnected")
            except Exception:
                if record.status:  # the response has begun: the server closes the connection
                    raise
                log.exception("unexpected error")
                await respond(scope, RuntimeError())(scope, receive, recording_send)
            finally:
                record.seconds = time.perf_counter() - start
                record.route = getattr(scope.get("route"), "path", "none")
                record.problem = scope["state"].get("problem")
                finish(record.route, record.status, name)
                for observe in self._observers:
                    observe(record)


def write_access_log(record: RequestRecord) -> None:
    """Log one line per request: no query, no caption, no address. Probes are logged at DEBUG."""
    level = logging.DEBUG if record.route in ("/healthz", "/readyz", "/metrics") else logging.INFO
    facts = {
        "method": record.method,
        "route": record.route,
        "status": record.status,
        "ms": round(record.seconds * 1000, 1),
        "bytes": record.bytes,
        "problem": record.problem,
    }
    log.log(
        level, "request", extra={name: fact for name, fact in facts.items() if fact is not None}
    )


def _request_id(headers: Headers) -> str:
    """The client's id if it is valid, so that both logs agree; else a new one."""
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else uuid4().hex


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _update(record: RequestRecord, message: Message) -> None:
    if message["type"] == "http.response.start":
        record.status = message["status"]
    record.bytes += len(message.get("body", b""))


def _add_headers(message: Message, name: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-Id"] = name
    for header, value in _HEADERS.items():
        headers.setdefault(header, value)
