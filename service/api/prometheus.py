"""Metrics for Prometheus: the requests of this process, and the queue in Redis.

The queue's metrics are read at each scrape and are equal for all API processes; if several are
scraped, use ``max`` for them and ``sum`` for the requests.
"""

from collections.abc import Iterator
from typing import Any, cast

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from service.errors.catalogue import catalogue
from service.observability.request_record import RequestRecord
from service.queue.stats import BUCKETS, SECONDS_BUCKETS, QueueStats


class HttpMetrics:
    """Metrics of this process and of its requests, by route template."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "captionfill_http_requests",
            "Requests, by route and status",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "captionfill_http_request_seconds",
            "From a request's headers to the end of its response",
            ["route"],
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._problems = Counter(
            "captionfill_problems", "Problem documents sent", ["problem"], registry=self.registry
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


class QueueCollector:
    """Collects the state of the queue as metric families."""

    def __init__(self, state: QueueStats) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """All families; only ``captionfill_queue_up 0`` while Redis does not answer."""
        yield GaugeMetricFamily(
            "captionfill_queue_up", "Whether Redis answers", value=self._state.up
        )
        if self._state.up:
            yield from self._gauges()
            yield from self._counters()
            yield from (self._histogram(*each) for each in _HISTOGRAMS)

    def _gauges(self) -> Iterator[Metric]:
        state = self._state
        waiting = GaugeMetricFamily(
            "captionfill_queue_depth", "Tasks waiting for a worker", labels=["lane"]
        )
        running = GaugeMetricFamily(
            "captionfill_queue_running", "Tasks leased to a worker", labels=["lane"]
        )
        oldest = GaugeMetricFamily(
            "captionfill_queue_oldest_seconds", "Age of the oldest unfinished task", labels=["lane"]
        )
        for name, priority in state.priorities.items():
            waiting.add_metric([name], priority.waiting)
            running.add_metric([name], priority.running)
            oldest.add_metric([name], priority.oldest_ms / 1000)
        yield from (waiting, running, oldest)
        yield GaugeMetricFamily(
            "captionfill_queue_draining", "Whether new jobs are refused", value=state.draining
        )
        yield GaugeMetricFamily("captionfill_workers", "Live workers", value=state.workers)
        yield GaugeMetricFamily(
            "captionfill_workers_unhealthy",
            "Live workers with a bundle that takes no tasks because it failed",
            value=state.unhealthy,
        )
        yield GaugeMetricFamily(
            "captionfill_dead_letter_queue_depth", "Dead letters stored", value=state.dead_letters
        )

    def _counters(self) -> Iterator[Metric]:
        for (name, help_text, label), counters in _COUNTERS.items():
            family = CounterMetricFamily(name, help_text, labels=[label] if label else [])
            for value, counter in counters.items():
                amount = self._state.counts.get(counter, 0)
                family.add_metric([value] if label else [], amount)
            yield family

    def _histogram(self, source: str, name: str, help_text: str) -> Metric:
        counts, so_far, buckets = self._state.counts, 0.0, []
        for bound in (*(f"{each:g}" for each in BUCKETS[source]), "inf"):
            so_far += counts.get(f"{source}:le:{bound}", 0)
            buckets.append(("+Inf" if bound == "inf" else bound, so_far))
        family = HistogramMetricFamily(name, help_text)
        family.add_metric([], buckets, counts.get(f"{source}:sum", 0))
        return family


def scrape(http: HttpMetrics, state: QueueStats) -> CollectorRegistry:
    """A registry with all metrics of one scrape."""
    registry = CollectorRegistry()
    registry.register(cast(Any, QueueCollector(state)))
    registry.register(http.registry)
    return registry


# (family, help, label): the field of the queue's metrics behind each value of the label.
_COUNTERS: dict[tuple[str, str, str], dict[str, str]] = {
    ("captionfill_jobs_accepted", "Jobs accepted", ""): {"": "accepted"},
    ("captionfill_jobs", "Jobs by final state", "outcome"): {
        name: name for name in ("done", "failed", "cancelled", "expired", "lost")
    },
    ("captionfill_jobs_deduplicated", "Jobs served without inference", "reason"): {
        name: name for name in ("coalesced", "cached", "dropped")
    },
    ("captionfill_lease_transfers", "Leases that passed to another worker", "reason"): {
        name: name for name in ("reclaimed", "returned")
    },
    ("captionfill_dead_letters", "Tasks that became dead letters", ""): {"": "dead_letters"},
    ("captionfill_webhooks", "Webhook deliveries", "outcome"): {
        name: f"hooks_{name}" for name in ("delivered", "retried", "abandoned")
    },
}
_HISTOGRAMS = (
    ("batch_size", "captionfill_batch_images", "Images in a batch"),
    ("queue_seconds", "captionfill_queue_seconds", "From acceptance of a job to inference"),
    ("model_seconds", "captionfill_model_seconds", "Inference time of a batch"),
)
