"""What /metrics tells, read back by Prometheus' own parser."""

import json
import re
import time
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

import service.queue.scripts
from service.api.app import create_app
from service.queue.consumer import observe
from service.queue.jobs import State

pytestmark = pytest.mark.server

DOCKER = Path(__file__).parents[4] / "docker"


@pytest.fixture
def prefix(settings):
    return f"{{{settings.namespace}}}:"


def read_metrics(client):
    """Each sample of a scrape: (name, label values) -> value."""
    families = parse(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return {(each.name, *each.labels.values()): each.value for each in samples}


def test_the_queue_is_told_lane_by_lane(client, server, prefix):
    server.xadd(f"{prefix}jobs", {"work": "a"}, id=f"{int(time.time() * 1000) - 5000}-0")
    server.xadd(f"{prefix}jobs", {"work": "b"})
    server.xgroup_create(f"{prefix}jobs", "workers", id="0")
    server.xreadgroup("workers", "w", {f"{prefix}jobs": ">"}, count=1)
    server.xadd(f"{prefix}jobs:batch", {"work": "c"})
    server.xadd(f"{prefix}dead", {"work": "d"})
    samples = read_metrics(client)
    assert samples["captionfill_queue_depth", "interactive"] == 1
    assert samples["captionfill_queue_running", "interactive"] == 1
    assert 5 <= samples["captionfill_queue_oldest_seconds", "interactive"] < 60
    assert samples["captionfill_queue_depth", "batch"] == 1
    assert samples["captionfill_dead_letter_queue_depth",] == 1


def test_workers_that_are_long_silent_do_not_count(client, server, prefix):
    now = int(time.time() * 1000)
    for name, at in (("here", now), ("gone", now - 60_000)):
        server.hset(f"{prefix}workers", name, json.dumps({"at": at, "models": {}}))
    assert read_metrics(client)["captionfill_workers",] == 1


def test_counters_and_histograms_come_from_every_process(client, server, prefix):
    with server.pipeline() as pipe:
        pipe.hincrby(f"{prefix}metrics", "done", 3)
        for size in (1, 3, 100):
            observe(pipe, f"{prefix}metrics", "batch_size", size)
        pipe.execute()
    samples = read_metrics(client)
    assert samples["captionfill_jobs_total", "done"] == 3
    assert samples["captionfill_jobs_total", "failed"] == 0
    buckets = [
        samples["captionfill_batch_images_bucket", bound] for bound in ("1", "4", "64", "+Inf")
    ]
    assert buckets == [1, 2, 2, 3] and samples["captionfill_batch_images_sum",] == 104


def test_requests_are_labelled_by_route_never_by_path(client):
    client.get("/problems/queue-full")
    client.get("/problems/secret")
    client.get("/nothing/secret")
    samples = read_metrics(client)
    assert samples["captionfill_http_requests_total", "GET", "/problems/{slug}", "200"] == 1
    assert samples["captionfill_http_requests_total", "GET", "none", "404"] == 1
    assert samples["captionfill_problems_total", "no-such-page"] == 2
    assert not any("secret" in str(labels) for labels in samples)


def test_redis_outage_is_reported_and_metrics_continue(settings):
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"})
    with TestClient(create_app(away)) as client:
        client.get("/healthz")
        samples = read_metrics(client)
    assert samples["captionfill_queue_up",] == 0
    assert samples["captionfill_http_requests_total", "GET", "/healthz", "200"] == 1


def test_openmetrics_is_sent_to_clients_that_accept_it(client):
    answer = client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}
    )
    assert answer.text.endswith("# EOF\n") and list(parse_open(answer.text))


def test_the_dashboard_asks_for_metrics_that_exist(client):
    client.get("/healthz")
    exist = {name for name, *_ in read_metrics(client)}
    dashboard = json.loads((DOCKER / "grafana" / "captionfill.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for expr in asked for name in re.findall(r"(?:captionfill|process)_\w+", expr)}
    assert len(named) > 15 and named <= exist


def counters_of_the_scripts():
    """The names that the Lua scripts count by; two are completed by a state."""
    text = "".join(
        path.read_text() for path in Path(service.queue.scripts.__file__).parent.rglob("*.lua")
    )
    calls = re.findall(r"(?<!function )\bcount\(([^),]+)", text)
    named = {call.strip("'") for call in calls if re.fullmatch(r"'\w+'", call)}
    computed = {call for call in calls if not re.fullmatch(r"'\w+'", call)}
    assert computed == {"state", "'hooks_' .. ARGV[3]"}
    ends = {str(state) for state in State if state.is_end}
    return sorted(named | ends | {"hooks_delivered", "hooks_abandoned"})


def test_every_counter_of_the_queue_is_told(client, server, prefix):
    counters = counters_of_the_scripts()
    for number, counter in enumerate(counters, start=1000):
        server.hset(f"{prefix}metrics", counter, number)
    values = set(read_metrics(client).values())
    missing = [name for number, name in enumerate(counters, start=1000) if number not in values]
    assert len(counters) >= 15 and missing == []


def test_prometheus_scrapes_the_compose_api_by_allowed_name():
    services = yaml.safe_load((DOCKER.parent / "docker-compose.yml").read_text())["services"]
    (job,) = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    host = job["static_configs"][0]["targets"][0].split(":")[0]
    assert host in services
    assert services["api"]["environment"]["CAPTIONFILL_ALLOWED_HOSTS"] == host
