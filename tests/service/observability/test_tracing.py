"""Spans, kept in memory by OpenTelemetry's own exporter."""

import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from captionfill.errors import StartError
from service.observability import batch_span, current_traceparent, request_span, set_up_tracing
from service.queue.consumer import Consumer
from tests.helpers.service.queueing import ALL, RESULT, new, put

CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter):
    exporter.clear()
    return exporter.get_finished_spans


def test_request_span_joins_the_client_trace(spans):
    with request_span("POST", {"traceparent": CLIENT}) as finish:
        assert current_traceparent().startswith("00-0af7651916cd43dd8448eb211c80319c-")
        finish("/inpaint", 200, "one")
    (span,) = spans()
    assert span.name == "POST /inpaint" and f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert span.attributes["captionfill.request_id"] == "one"


def test_batch_span_links_to_each_request(spans):
    messages = []
    for _ in range(2):
        with request_span("POST", {}):
            messages.append(current_traceparent())
    with batch_span([*messages, "", "nonsense"]):
        pass
    batch = spans()[-1]
    linked = {f"{link.context.span_id:016x}" for link in batch.links}
    assert (
        linked == {each.split("-")[2] for each in messages}
        and batch.attributes["captionfill.jobs"] == 4
    )


@pytest.mark.server
def test_request_trace_follows_its_job_through_the_queue(spans, settings):
    consumer = Consumer(settings)
    consumer.create_streams()
    with request_span("POST", {"traceparent": CLIENT}) as finish:
        put(settings, *new(traceparent=current_traceparent()), *new())
        finish("/inpaint", 200, "one")
    leases = consumer.take(ALL)
    with batch_span([each for lease in leases for each in lease.traceparents]):
        consumer.finish(leases, [RESULT] * 2)
    request, batch = spans()
    (link,) = batch.links
    assert link.context.span_id == request.context.span_id
    assert f"{link.context.trace_id:032x}" in CLIENT


def test_a_failed_request_is_told_as_an_error(spans):
    with request_span("GET", {}) as finish:
        finish("/readyz", 503, "x")
    assert spans()[0].status.status_code is trace.StatusCode.ERROR


def test_outside_a_request_there_is_no_trace():
    assert current_traceparent() == ""


def test_without_the_extra_nothing_happens_and_nothing_fails():
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from service.observability import *\n"
        "with request_span('GET', {}) as finish: finish('/', 200, '')\n"
        "print(current_traceparent())\n"
        "with batch_span(['x']): set_up_tracing('api')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_endpoint_without_the_extra_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(StartError, match=r"captionfill\[tracing\]"):
        set_up_tracing("api")
