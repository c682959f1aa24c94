"""A Redis that cannot hold the queue is named: at the start, by readiness, in the log."""

import asyncio
import logging

import pytest
import redis
from fastapi.testclient import TestClient

from captionfill.errors import StartError
from service.api.app import create_app
from service.config.settings import Settings
from service.errors.queue import QueueUnavailable
from service.queue.consumer import Consumer
from service.queue.redis_check import RedisFacts, RedisMonitor, check_redis
from service.redis.client import RedisErrorLog, reason_of
from service.supervisor.embedded_redis import EmbeddedRedis
from service.worker.batching import Batcher
from service.worker.worker import Worker
from tests.helpers.ports import free_port
from tests.helpers.service.queueing import ALL, RESULT, new, outcome, put, with_queue
from tests.helpers.service.stub_model import StubModel

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    server = EmbeddedRedis(tmp_path_factory.mktemp("own"))
    yield server
    server.stop()


@pytest.fixture
def own(embedded):
    """A server whose configuration a test may change."""
    with redis.Redis.from_url(embedded.url, protocol=2) as client:
        yield client
        client.replicaof("NO", "ONE")
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "yes")
        client.config_set("min-replicas-to-write", 0)
        client.flushall()


@pytest.fixture
def settings(embedded):
    return Settings(redis_url=embedded.url, allowed_hosts=("testserver",))


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings)) as client:
        Consumer(settings).heartbeat(
            {"models": {"m": "sha256:x"}, "default": "m", "generation": 0, "pace": 0}
        )
        yield client


@pytest.fixture
def at_once(monkeypatch):
    """Readiness asks the server each time."""
    monkeypatch.setattr("service.queue.redis_check._ROLE_SECONDS", 0)
    monkeypatch.setattr("service.queue.redis_check._FACTS_SECONDS", 0)


EVICTING = ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl"]


@pytest.mark.parametrize("policy", EVICTING)
def test_evicting_redis_is_refused_at_start(own, settings, policy):
    own.config_set("maxmemory-policy", policy)
    with pytest.raises(StartError) as refused:
        check_redis(settings)
    assert {"maxmemory-policy", policy, "CAPTIONFILL_ALLOW_EVICTION=true"} <= set(
        str(refused.value).replace(",", "").replace(";", "").split()
    )
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("command", ["api", "worker"])
def test_each_command_refuses_a_redis_that_evicts(
    own, settings, captionfill, monkeypatch, tmp_path, command
):
    own.config_set("maxmemory-policy", "volatile-lru")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    # The command runs in this process, whose logging stays as it is.
    monkeypatch.setattr("service.observability.set_up_logs", lambda: None)
    status, printed = captionfill(command)
    assert status == 1 and "volatile-lru" in printed.err
    assert len(printed.err.splitlines()) == 1


def test_who_knows_of_the_eviction_may_start(own, settings, caplog):
    own.config_set("maxmemory-policy", "allkeys-lru")
    check_redis(settings.model_copy(update={"allow_eviction": True}))
    assert "maxmemory-policy is allkeys-lru" in caplog.text


def test_a_redis_without_persistence_is_warned_of(own, settings, caplog):
    check_redis(settings)
    assert "persists nothing" not in caplog.text
    own.config_set("appendonly", "no")
    check_redis(settings)
    assert "persists nothing" in caplog.text


def test_unreachable_redis_does_not_prevent_the_start(caplog):
    check_redis(Settings(redis_url="redis://127.0.0.1:1"))
    assert "Connection refused" in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize("command", ["serve", "api", "worker"])
def test_wrong_credentials_end_the_start(
    own, settings, monkeypatch, tmp_path, captionfill, command
):
    url = settings.redis_url.replace("unix://", "unix://nobody:s3cr3t@")
    monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.setenv("CAPTIONFILL_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("PORT", str(free_port()))
    monkeypatch.setattr("service.observability.set_up_logs", lambda: None)
    status, printed = captionfill(command)
    [found] = printed.err.splitlines()
    assert status == 1 and "REDIS_URL" in found and "s3cr3t" not in found


@pytest.mark.parametrize(
    ("version", "refused"), [("6.0.16", True), ("5.0.7", True), ("6.2.0", False), ("7.2.4", False)]
)
def test_an_old_version_is_refused(version, refused):
    facts = RedisFacts.parse([{"redis_version": version, "aof_enabled": 1}], "")
    assert bool(facts.refusal(Settings())) == refused


def test_facts_are_found_where_config_is_forbidden(own, settings):
    own.config_set("maxmemory-policy", "allkeys-lfu")
    own.acl_setuser("limited", enabled=True, passwords=["+pw"], keys=["*"], categories=["+@all"],
                    commands=["-config"])  # fmt: skip
    url = settings.redis_url.replace("unix://", "unix://limited:pw@")
    with pytest.raises(StartError, match="allkeys-lfu"):
        check_redis(settings.model_copy(update={"redis_url": url}))


def test_readiness_names_a_policy_that_changed(own, client, at_once):
    assert client.get("/readyz").json()["warnings"] == []
    own.config_set("maxmemory-policy", "allkeys-lru")
    answer = client.get("/readyz")
    assert answer.status_code == 503 and "allkeys-lru" in answer.json()["detail"]


def test_readiness_warns_where_eviction_is_accepted(own, settings, at_once):
    own.config_set("maxmemory-policy", "allkeys-lru")
    known = settings.model_copy(update={"allow_eviction": True})
    with TestClient(create_app(known)) as client:
        Consumer(known).heartbeat({"models": {"m": "x"}, "default": "m", "generation": 0})
        answer = client.get("/readyz")
    assert answer.status_code == 200 and "allkeys-lru" in answer.json()["warnings"][0]


def test_a_demoted_master_is_not_ready(own, client, at_once):
    assert client.get("/readyz").status_code == 200
    own.replicaof("127.0.0.1", 1)
    answer = client.get("/readyz")
    assert answer.status_code == 503 and "READONLY" in answer.json()["detail"]
    own.replicaof("NO", "ONE")
    assert client.get("/readyz").status_code == 200


def test_a_writable_replica_is_not_ready(own, client, at_once):
    own.replicaof("127.0.0.1", 1)
    own.config_set("replica-read-only", "no")
    answer = client.get("/readyz")
    own.config_set("replica-read-only", "yes")
    assert answer.status_code == 503 and "role is slave" in answer.json()["detail"]


def test_too_few_replicas_are_not_ready(own, client, at_once):
    own.config_set("min-replicas-to-write", 1)
    answer = client.get("/readyz")
    assert answer.status_code == 503 and "NOREPLICAS" in answer.json()["detail"]


def test_the_role_is_read_again_within_a_second(own, settings):
    async def check(queue):
        monitor = RedisMonitor(queue.redis, settings)
        assert await monitor.check() == []
        own.replicaof("127.0.0.1", 1)
        async with asyncio.timeout(1):
            while True:
                try:
                    await monitor.check()
                except QueueUnavailable as error:
                    return str(error)
                await asyncio.sleep(0.01)

    assert "READONLY" in with_queue(settings, check)


def test_a_failover_is_followed(own, settings, tmp_path):
    """The address leads to another server once the one that was its master is demoted."""
    other = EmbeddedRedis(tmp_path / "other")
    place = tmp_path / "address"
    place.symlink_to(settings.redis_url.removeprefix("unix://"))
    moved = settings.model_copy(update={"redis_url": f"unix://{place}"})
    consumer = Consumer(moved)
    consumer.create_streams()
    [job] = new()

    async def fail_over(queue):
        await queue.put(new()[0])
        place.unlink()
        place.symlink_to(other.url.removeprefix("unix://"))
        own.replicaof("127.0.0.1", 1)
        with pytest.raises(QueueUnavailable):
            await queue.put(job)
        await queue.put(job)

    try:
        with_queue(moved, fail_over)
        with pytest.raises(redis.ReadOnlyError) as refusal:
            consumer.heartbeat({"models": {}})
        Worker(consumer, StubModel, Batcher(8, 1.0, lambda: 0.0))._retry.report(refusal.value)
        consumer.create_streams()
        consumer.finish(consumer.take(ALL), [RESULT])
        assert outcome(moved, job) == RESULT
    finally:
        other.stop()


def refused(own, settings, caplog, spoil):
    """What is logged where Redis refuses a job."""
    put(settings, *new())
    spoil()
    with pytest.raises(QueueUnavailable):
        put(settings, *new())
    return [record.reason for record in caplog.records if record.name == "captionfill.redis"]


def test_a_refusal_is_logged_with_its_reason(own, settings, caplog, monkeypatch):
    monkeypatch.setattr("service.redis.client.error_log", RedisErrorLog())
    [reason] = refused(own, settings, caplog, lambda: own.replicaof("127.0.0.1", 1))
    assert "READONLY You can't write against a read only replica" in reason


def test_a_missing_password_is_logged_as_such(own, settings, caplog, monkeypatch):
    monkeypatch.setattr("service.redis.client.error_log", RedisErrorLog())
    own.config_set("requirepass", "s3cret")
    try:
        with pytest.raises(QueueUnavailable):
            put(settings, *new())
    finally:
        own.execute_command("AUTH", "s3cret")
        own.config_set("requirepass", "")
    [reason] = [record.reason for record in caplog.records]
    assert "uthentication required" in reason and "s3cret" not in reason


def test_same_reason_is_logged_only_periodically(caplog):
    errors = RedisErrorLog()
    for _ in range(50):
        errors.warn(redis.ConnectionError("away"))
    errors.warn(redis.ResponseError("MISCONF disk"))
    assert [record.reason for record in caplog.records] == [
        "ConnectionError: away",
        "ResponseError: MISCONF disk",
    ]


@pytest.mark.parametrize("user_info", ["user:pass", ":pass", "user:p@ss", "u:pa:ss"])
def test_no_reason_has_a_password(user_info):
    error = redis.ConnectionError(f"cannot reach redis://{user_info}@host:1/0\nnow")
    assert reason_of(error) == "ConnectionError: cannot reach redis://***@host:1/0 now"


def test_a_worker_logs_why_redis_refuses(own, settings, caplog):
    caplog.set_level(logging.WARNING)
    worker = Worker(Consumer(settings), StubModel, Batcher(8, 1.0, lambda: 0.0))
    worker.stop()
    own.replicaof("127.0.0.1", 1)
    worker._retry.pause(redis.ReadOnlyError("READONLY You can't write"))
    worker.run()
    reasons = [record.reason for record in caplog.records]
    assert reasons and all("READONLY You can't write" in reason for reason in reasons)
