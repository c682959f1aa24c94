"""The outermost layer of a request: its id, its headers, its line in the log, and its last resort.

Pure ASGI, so that bodies stream through it in both directions.
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
    """Names each request, gives its answer the headers of all, and tells the observers of it."""

    def __init__(
        self, app: ASGIApp, observers: Sequence[Callable[[RequestRecord], None]] = ()
    ) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an error that nobody foresaw becomes a problem document here."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        name = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = name
        exchange = RequestRecord(_method(scope))
        start = time.perf_counter()

        async def answer(message: Message) -> None:
            _note(exchange, message)
            if message["type"] == "http.response.start":
                _dress(message, name)
            await send(message)

        headers = {"traceparent": Headers(scope=scope).get("traceparent", "")}
        with logs.bound(request_id=name), request_span(exchange.method, headers) as finish:
            try:
                await self._app(scope, receive, answer)
            except ClientDisconnect:
                log.info("client left")
            except Exception:
                if exchange.status:  # half an answer is out: the server cuts the connection
                    raise
                log.exception("unforeseen")
                await respond(scope, RuntimeError())(scope, receive, answer)
            finally:
                exchange.seconds = time.perf_counter() - start
                exchange.route = getattr(scope.get("route"), "path", "none")
                exchange.problem = scope["state"].get("problem")
                finish(exchange.route, exchange.status, name)
                for observe in self._observers:
                    observe(exchange)


def write_access_log(exchange: RequestRecord) -> None:
    """One line a request: no query, no caption, no address. Probes are told at level DEBUG."""
    level = logging.DEBUG if exchange.route in ("/healthz", "/readyz", "/metrics") else logging.INFO
    facts = {
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "ms": round(exchange.seconds * 1000, 1),
        "bytes": exchange.bytes,
        "problem": exchange.problem,
    }
    log.log(
        level, "request", extra={name: fact for name, fact in facts.items() if fact is not None}
    )


def _request_id(headers: Headers) -> str:
    """The client's own id where it is a sane one, for its log and ours to agree; else a new one."""
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else uuid4().hex


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _note(exchange: RequestRecord, message: Message) -> None:
    if message["type"] == "http.response.start":
        exchange.status = message["status"]
    exchange.bytes += len(message.get("body", b""))


def _dress(message: Message, name: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-Id"] = name
    for header, value in _HEADERS.items():
        headers.setdefault(header, value)
