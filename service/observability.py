"""Logs and traces of the API and the worker, without images, captions, addresses or secrets.

Logs: one JSON object a line on standard error. Ids of the request and the job are bound once, and
are then in every line of the same context.

Traces (OpenTelemetry): a span for each request and for each batch, linked through the queue. Spans
are exported if the extra ``captionfill[tracing]`` is installed and ``OTEL_EXPORTER_OTLP_ENDPOINT``
is set; OpenTelemetry's other variables apply. Without the extra these functions do nothing.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from captionfill.errors import StartError
from service.errors.redaction import redact, redact_values

try:
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:  # pragma: no cover - FastAPI brings the API nowadays, but did not always
    trace = None  # type: ignore[assignment]

_NAME = "captionfill"
_PLAIN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
_bound: ContextVar[Mapping[str, str]] = ContextVar("bound", default=MappingProxyType({}))


def describe(error: BaseException) -> str:
    """Return type and message of an error in one line of at most 300 characters."""
    # Redacted before it is cut: a part of a secret would not be recognised.
    return " ".join(redact(f"{type(error).__name__}: {error}").split())[:300]


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Add ids to all lines inside the context."""
    token = _bound.set({**_bound.get(), **ids})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonFormatter(logging.Formatter):
    """Formats time, level, logger, event, bound ids and ``extra`` as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_bound.get(),
            **{key: value for key, value in vars(record).items() if key not in _PLAIN},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        safe = redact_values(line)
        return json.dumps(safe, default=lambda value: redact(str(value)), ensure_ascii=False)


def set_up_logs() -> None:
    """Log the service from INFO and libraries from WARNING, as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("captionfill").setLevel(logging.INFO)


def set_up_tracing(part: str) -> None:
    """Export this process's spans, of the service captionfill-<part>, if an endpoint is set.

    Raises:
        StartError: an endpoint is set, but the extra is not installed.
    """
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise StartError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set: pip install 'captionfill[tracing]'"
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": f"{_NAME}-{part}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def current_traceparent() -> str:
    """Return the W3C trace context of the current span, or an empty string."""
    carrier: dict[str, str] = {}
    if trace is not None:
        TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def request_span(method: str, headers: Mapping[str, str]) -> Iterator[Any]:
    """Open a span for a request, in the client's trace if the headers name one.

    Yields a function that takes the route, the status and the request id at the end.
    """
    if trace is None:
        yield lambda *_: None
        return
    parent = TraceContextTextMapPropagator().extract(headers)
    kind = trace.SpanKind.SERVER
    with trace.get_tracer(_NAME).start_as_current_span(method, parent, kind=kind) as span:

        def finish(route: str, status: int, request_id: str) -> None:
            span.update_name(f"{method} {route}")
            span.set_attributes(
                {
                    "http.request.method": method,
                    "http.route": route,
                    "http.response.status_code": status,
                    "captionfill.request_id": request_id,
                }
            )
            if status >= 500:
                span.set_status(trace.Status(trace.StatusCode.ERROR))

        yield finish


@contextmanager
def batch_span(traceparents: Sequence[str]) -> Iterator[None]:
    """Open a span for a batch in the worker, linked to the span of each request in it.

    Links, not a parent, because the requests of a batch are independent.
    """
    if trace is None:
        yield
        return
    contexts = (_span_context(each) for each in traceparents if each)
    links = [trace.Link(context) for context in contexts if context.is_valid]
    facts = {"captionfill.jobs": len(traceparents)}
    with trace.get_tracer(_NAME).start_as_current_span(
        "fill batch", kind=trace.SpanKind.CONSUMER, links=links, attributes=facts
    ):
        yield


def _span_context(traceparent: str) -> Any:
    context = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
    return trace.get_current_span(context).get_span_context()
