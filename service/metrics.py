"""What Prometheus is told: this process's requests, and the queue as it stands in Redis.

The queue's figures are read at each scrape, so that any API process tells the same; where several
are scraped, take them from one (``max`` in a query), and add up only the requests.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import redis.asyncio
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from service import metrics_names as names
from service.errors import catalogue
from service.gate.context import Exchange
from service.keys import ALIVE_MS, GROUP
from service.settings import Settings

_CONNECTION: dict[str, Any] = {"protocol": 2, "socket_timeout": 2, "socket_connect_timeout": 2}


class HttpMetrics:
    """The requests of this process, by the template of their route, and the process itself."""

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
            "From a request's headers to the end of its answer",
            ["route"],
            buckets=names.SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._problems = Counter(
            "captionfill_problems", "Problem documents sent", ["problem"], registry=self.registry
        )
        for slug in catalogue():  # a rate is only seen where there was a 0 before
            self._problems.labels(slug)

    def observe(self, exchange: Exchange) -> None:
        """Count a request that is over."""
        self._requests.labels(exchange.method, exchange.route, exchange.status).inc()
        self._seconds.labels(exchange.route).observe(exchange.seconds)
        if exchange.problem is not None:
            self.reject(exchange.problem)

    def reject(self, slug: str) -> None:
        """Count a problem document that was sent."""
        self._problems.labels(slug).inc()


@dataclass(frozen=True)
class LaneState:
    """A lane of the queue: work waiting, work running, and milliseconds since the oldest came."""

    waiting: int
    running: int
    oldest_ms: int


@dataclass(frozen=True)
class QueueState:
    """The queue at one moment. Not ``up``: Redis does not answer, and nothing is known."""

    up: bool = False
    lanes: Mapping[str, LaneState] = field(default_factory=dict)
    workers: int = 0
    dead: int = 0
    counts: Mapping[str, float] = field(default_factory=dict)


async def read_queue(settings: Settings) -> QueueState:
    """Look at the queue, in one round trip and on a connection of its own.

    The queue's own connections may all be taken, and that is just when somebody looks.
    """
    prefix = f"{{{settings.namespace}}}:"
    streams = {"interactive": f"{prefix}jobs", "batch": f"{prefix}jobs:batch"}
    try:
        async with redis.asyncio.Redis.from_url(settings.queue_url, **_CONNECTION) as client:
            pipe: Any = client.pipeline(transaction=False)
            pipe.time().hgetall(f"{prefix}metrics").hgetall(f"{prefix}workers")
            pipe.xlen(f"{prefix}dead")
            for stream in streams.values():
                pipe.xlen(stream).xpending(stream, GROUP).xrange(stream, count=1)
            time, counts, workers, dead, *lanes = await pipe.execute(raise_on_error=False)
    except (redis.RedisError, OSError):
        return QueueState()
    if isinstance(time, Exception):  # the server is still loading its file
        return QueueState()
    now = time[0] * 1000 + time[1] // 1000
    parts = zip(streams, lanes[::3], lanes[1::3], lanes[2::3], strict=True)
    return QueueState(
        up=True,
        lanes={lane: _lane(now, *seen) for lane, *seen in parts},
        workers=sum(now - json.loads(beat)["at"] < ALIVE_MS for beat in workers.values()),
        dead=dead,
        counts={name.decode(): float(value) for name, value in counts.items()},
    )


def _lane(now: int, length: int, pending: Any, first: Sequence[Any]) -> LaneState:
    # No group yet, as no worker has ever come: all of it waits.
    running = 0 if isinstance(pending, Exception) else pending["pending"]
    came = int(first[0][0].split(b"-")[0]) if first else now
    return LaneState(max(0, length - running), running, now - came)


class QueueCollector:
    """A state of the queue as Prometheus' metric families."""

    def __init__(self, state: QueueState) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Every family; nothing but ``captionfill_queue_up 0`` while Redis is away."""
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
            "captionfill_queue_depth", "Work that waits for a worker", labels=["lane"]
        )
        running = GaugeMetricFamily(
            "captionfill_queue_running", "Work on lease to a worker", labels=["lane"]
        )
        oldest = GaugeMetricFamily(
            "captionfill_queue_oldest_seconds", "Age of the oldest unfinished work", labels=["lane"]
        )
        for name, lane in state.lanes.items():
            waiting.add_metric([name], lane.waiting)
            running.add_metric([name], lane.running)
            oldest.add_metric([name], lane.oldest_ms / 1000)
        yield from (waiting, running, oldest)
        yield GaugeMetricFamily("captionfill_workers", "Live workers", value=state.workers)
        yield GaugeMetricFamily(
            "captionfill_dead_letters_kept", "Dead letters to look at", value=state.dead
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
        for bound in (*(f"{each:g}" for each in names.BUCKETS[source]), "inf"):
            so_far += counts.get(f"{source}:le:{bound}", 0)
            buckets.append(("+Inf" if bound == "inf" else bound, so_far))
        family = HistogramMetricFamily(name, help_text)
        family.add_metric([], buckets, counts.get(f"{source}:sum", 0))
        return family


def scrape(http: HttpMetrics, state: QueueState) -> CollectorRegistry:
    """All that one scrape tells."""
    registry = CollectorRegistry()
    registry.register(cast(Any, QueueCollector(state)))
    registry.register(http.registry)
    return registry


# (family, help, label): the counter behind each value of the label.
_COUNTERS: dict[tuple[str, str, str], dict[str, names.Counter]] = {
    ("captionfill_jobs_accepted", "Jobs taken in", ""): {"": names.Counter.ACCEPTED},
    ("captionfill_jobs", "Jobs by how they ended", "outcome"): {
        "done": names.Counter.DONE,
        "failed": names.Counter.FAILED,
        "cancelled": names.Counter.CANCELLED,
        "expired": names.Counter.EXPIRED,
    },
    ("captionfill_jobs_saved", "Jobs that cost the model nothing", "how"): {
        "coalesced": names.Counter.COALESCED,
        "cached": names.Counter.CACHED,
        "dropped": names.Counter.DROPPED,
    },
    ("captionfill_leases", "Leases that changed hands", "why"): {
        "reclaimed": names.Counter.RECLAIMED,
        "returned": names.Counter.RETURNED,
    },
    ("captionfill_dead_letters", "Work given up", ""): {"": names.Counter.DEAD_LETTERS},
    ("captionfill_webhooks", "Webhook deliveries", "outcome"): {
        "delivered": names.Counter.HOOKS_DELIVERED,
        "retried": names.Counter.HOOKS_RETRIED,
        "abandoned": names.Counter.HOOKS_ABANDONED,
    },
}
_HISTOGRAMS = (
    (names.Histogram.BATCH_SIZE, "captionfill_batch_images", "Images in a batch"),
    (names.Histogram.QUEUE_SECONDS, "captionfill_queue_seconds", "From acceptance to the model"),
    (names.Histogram.MODEL_SECONDS, "captionfill_model_seconds", "The model's time for a batch"),
)
