"""`/metrics` for Prometheus: the requests of this process, and the queue in Redis.

The queue's metrics are read at each scrape and are equal for all API processes; if several are
scraped, use ``max`` for them and ``sum`` for the requests.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from captionfill.errors import CaptionfillError
from service.api.routes.common import UsedSettings
from service.api.schemas.problems import problems
from service.middleware.request_context import HttpMetrics
from service.queue.stats import BUCKETS, QueueStats, read_stats

router = APIRouter(tags=["Operation"])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Metrics for Prometheus.",
            "content": {
                "text/plain": {"schema": {"type": "string"}, "example": "captionfill_queue_up 1.0"}
            },
        },
        **problems(CaptionfillError),
    },
)
async def metrics(request: Request, settings: UsedSettings) -> Response:
    """Return the metrics of the queue, equal for all processes, and of this process's requests.

    `captionfill_queue_up` is 0 while Redis does not answer; the process's own metrics remain.
    """
    http: HttpMetrics = request.app.state.metrics
    registry = CollectorRegistry()
    registry.register(cast(Any, QueueCollector(await read_stats(settings))))
    registry.register(http.registry)
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": kind})


class QueueCollector:
    """Collects the state of the queue as metric families."""

    def __init__(self, state: QueueStats) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """All families; only ``captionfill_queue_up 0`` while Redis does not answer."""
        state = self._state
        yield _gauge("queue_up", "Whether Redis answers", state.up)
        if not state.up:
            return
        lanes = state.priorities
        yield _by_lane(
            "queue_depth", "Tasks waiting for a worker", {n: s.waiting for n, s in lanes.items()}
        )
        yield _by_lane(
            "queue_running", "Tasks leased to a worker", {n: s.running for n, s in lanes.items()}
        )
        ages = {name: lane.oldest_ms / 1000 for name, lane in lanes.items()}
        yield _by_lane("queue_oldest_seconds", "Age of the oldest unfinished task", ages)
        yield _gauge("queue_draining", "Whether new jobs are refused", state.draining)
        yield _gauge("workers", "Live workers", state.workers)
        help_text = "Live workers with a bundle that takes no tasks because it failed"
        yield _gauge("workers_unhealthy", help_text, state.unhealthy)
        yield _gauge("dead_letter_queue_depth", "Dead letters stored", state.dead_letters)
        yield from self._counters()
        yield from (self._histogram(*each) for each in _HISTOGRAMS)

    def _counters(self) -> Iterator[Metric]:
        for (name, help_text, label), counters in _COUNTERS.items():
            family = CounterMetricFamily(
                f"captionfill_{name}", help_text, labels=[label] if label else []
            )
            for value, counter in counters.items():
                amount = self._state.counts.get(counter, 0)
                family.add_metric([value] if label else [], amount)
            yield family

    def _histogram(self, source: str, name: str, help_text: str) -> Metric:
        counts, so_far, buckets = self._state.counts, 0.0, []
        for bound in (*(f"{each:g}" for each in BUCKETS[source]), "inf"):
            so_far += counts.get(f"{source}:le:{bound}", 0)
            buckets.append(("+Inf" if bound == "inf" else bound, so_far))
        family = HistogramMetricFamily(f"captionfill_{name}", help_text)
        family.add_metric([], buckets, counts.get(f"{source}:sum", 0))
        return family


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"captionfill_{name}", help_text, value=value)


def _by_lane(name: str, help_text: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"captionfill_{name}", help_text, labels=["lane"])
    for lane, value in values.items():
        family.add_metric([lane], value)
    return family


# (family, help, label): the field of the queue's metrics behind each value of the label.
_COUNTERS: dict[tuple[str, str, str], dict[str, str]] = {
    ("jobs_accepted", "Jobs accepted", ""): {"": "accepted"},
    ("jobs", "Jobs by final state", "outcome"): {
        name: name for name in ("done", "failed", "cancelled", "expired", "lost")
    },
    ("jobs_deduplicated", "Jobs served without inference", "reason"): {
        name: name for name in ("coalesced", "cached", "dropped")
    },
    ("lease_transfers", "Leases that passed to another worker", "reason"): {
        name: name for name in ("reclaimed", "returned")
    },
    ("dead_letters", "Tasks that became dead letters", ""): {"": "dead_letters"},
    ("webhooks", "Webhook deliveries", "outcome"): {
        name: f"hooks_{name}" for name in ("delivered", "retried", "abandoned")
    },
}
_HISTOGRAMS = (
    ("batch_size", "batch_images", "Images in a batch"),
    ("queue_seconds", "queue_seconds", "From acceptance of a job to inference"),
    ("model_seconds", "model_seconds", "Inference time of a batch"),
)
