"""What surrounds every request: its id, common headers, access log and metrics, and HEAD.

Pure ASGI, so that bodies are streamed in both directions.
"""

import logging
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors.catalogue import catalogue
from service.middleware.problem_response import respond
from service.observability import bound, request_span
from service.queue.stats import SECONDS_BUCKETS

log = logging.getLogger("captionfill.api")

_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass
class RequestRecord:
    """A request and its response, for the log and the metrics.

    Attributes:
        method: of HTTP; anything unusual is "other", or a client could create metrics.
        route: the template of the path, such as /jobs/{job_id}; "none" where there is no route.
        status: 0 where there was no response.
        seconds: from the headers' arrival to the last byte handed to the connection.
        problem: the slug of the response's problem document, if it is one.
    """

    method: str
    route: str = "none"
    status: int = 0
    seconds: float = 0.0
    bytes: int = 0
    problem: str | None = None


class RequestContext:
    """Gives each request an id, adds headers to its response, logs it and calls the observers."""

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
        record = RequestRecord(scope["method"] if scope["method"] in _METHODS else "other")
        start = time.perf_counter()

        async def recording_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                _add_headers(message, name)
            record.bytes += len(message.get("body", b""))
            await send(message)

        headers = {"traceparent": Headers(scope=scope).get("traceparent", "")}
        with bound(request_id=name), request_span(record.method, headers) as finish:
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
                _write_access_log(record)
                for observe in self._observers:
                    observe(record)


class HttpMetrics:
    """Metrics of this process and of its requests, by route template."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "captionfill_http_requests",
            "Requests, by route and status",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "captionfill_http_request_seconds",
            "From a request's headers to the end of its response",
            ["route"],
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self._problems = Counter(
            "captionfill_problems", "Problem documents sent", ["problem"], registry=registry
        )
        for slug in catalogue():  # a rate needs a first value of 0
            self._problems.labels(slug)

    def observe(self, record: RequestRecord) -> None:
        """Count a finished request."""
        self._requests.labels(record.method, record.route, record.status).inc()
        self._seconds.labels(record.route).observe(record.seconds)
        if record.problem is not None:
            self.count_problem(record.problem)

    def count_problem(self, slug: str) -> None:
        """Count a problem document that was sent."""
        self._problems.labels(slug).inc()


class _HeadSentError(OSError):
    """Stops a response to HEAD after its headers; a stream takes it for a disconnection."""


class HeadRequests:
    """Answers HEAD for every GET route: its status and headers, no content (RFC 9110, 9.3.2).

    A stream (events, the zip of a batch) or a large file is stopped after its headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, a HEAD as a GET."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self._app(scope, receive, send)

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
            elif message.get("more_body"):
                raise _HeadSentError

        # From this version on, a streaming response treats an OSError as a disconnection.
        asgi = {**scope.get("asgi", {}), "spec_version": "2.4"}
        inner = {**scope, "method": "GET", "asgi": asgi}
        try:
            with suppress(ClientDisconnect, _HeadSentError):  # a file's response passes it on
                await self._app(inner, receive, send_head)
        finally:
            if "route" in inner:  # for the log and the metrics
                scope["route"] = inner["route"]


def _write_access_log(record: RequestRecord) -> None:
    """Log one line per request: no query, no caption, no address. Probes are logged at DEBUG."""
    level = logging.DEBUG if record.route in ("/healthz", "/readyz", "/metrics") else logging.INFO
    facts = {
        "method": record.method,
        "route": record.route,
        "status": record.status,
        "ms": round(record.seconds * 1000, 1),
        "bytes": record.bytes,
    }
    log.log(level, "request", extra=facts | ({"problem": record.problem} if record.problem else {}))


def _request_id(headers: Headers) -> str:
    """The client's id if it is valid, so that both logs agree; else a new one."""
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else uuid4().hex


def _add_headers(message: Message, name: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-Id"] = name
    for header, value in _HEADERS.items():
        headers.setdefault(header, value)
