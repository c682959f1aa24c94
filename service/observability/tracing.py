"""Traces in OpenTelemetry: a span a request, a span a batch, linked through the queue.

They are sent where the extra ``captionfill[tracing]`` is installed and
``OTEL_EXPORTER_OTLP_ENDPOINT`` is set (and as OpenTelemetry's other variables say). Without the
extra everything here does nothing. No span holds a picture, a caption, an address or a query.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from captionfill.errors import StartError

try:
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:  # pragma: no cover - FastAPI brings the API nowadays, but did not always
    trace = None  # type: ignore[assignment]

_NAME = "captionfill"


def set_up_tracing(part: str) -> None:
    """Send this process's spans, where an endpoint is set.

    Args:
        part: of the service, "api" or "worker"; ``service.name`` is captionfill-<part>.

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
    """The W3C trace context of the span we are in, to go with a job; empty where there is none."""
    carrier: dict[str, str] = {}
    if trace is not None:
        TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def request_span(method: str, headers: Mapping[str, str]) -> Iterator[Any]:
    """A span around a request, in the client's trace where its headers name one.

    Gives a function to be told the route, the status and the request's id at the end.
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
    """A span around a batch in the worker, linked to the span of each request in it.

    Links and not a parent: the requests of a batch have nothing to do with each other.
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
