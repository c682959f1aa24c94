import json
import os
import subprocess
import sys

import pytest

from service.errors.queue import Draining
from service.queue.jobs import Priority, State
from service.queue.task import TaskFailure
from tests.helpers.service.queueing import ALL, RESULT, new, outcome, put, state

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def environment(settings, monkeypatch):
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("CAPTIONFILL_NAMESPACE", settings.namespace)


@pytest.fixture
def buried(settings, consumer):
    """A job whose work is a dead letter."""
    [job] = put(settings, *new())
    [lease] = consumer.take(ALL)
    consumer.dead_letter(lease, "model process crashed twice on this task")
    return job


def test_the_status_tells_every_lane(captionfill, settings, consumer):
    put(settings, *new(3), *new(2, priority=Priority.BATCH))
    consumer.take([(Priority.INTERACTIVE, 1)])
    consumer.heartbeat({"models": {}})
    found = captionfill("queue", "status")[1].out
    assert [line.split()[:3] for line in found.splitlines()[1:3]] == [
        ["interactive", "2", "1"],
        ["batch", "2", "0"],
    ]
    assert "workers 1, dead letters 0" in found and "accepted 5" in found


def test_the_status_as_json_is_for_programs(captionfill, settings):
    put(settings, *new(3))
    found = json.loads(captionfill("queue", "status", "--json")[1].out)
    assert found["lanes"]["interactive"]["waiting"] == 3 and found["counts"]["accepted"] == 3


def test_drained_queue_accepts_no_job_until_resumed(captionfill, settings):
    assert "nothing is left" in captionfill("queue", "drain")[1].out
    with pytest.raises(Draining):
        put(settings, *new())
    assert "new jobs are refused" in captionfill("queue", "status")[1].out
    captionfill("queue", "drain", "--off")
    put(settings, *new())


def test_a_drain_waits_for_what_is_there(captionfill, settings, consumer):
    put(settings, *new())
    status, printed = captionfill("queue", "drain", "--wait", "0.3")
    assert status == 1 and "1 left" in printed.out
    consumer.finish(consumer.take(ALL), [RESULT])
    assert captionfill("queue", "drain", "--wait", "5")[0] == 0


def test_a_dead_letter_is_listed_with_its_reason(captionfill, buried):
    found = captionfill("queue", "dead-letters")[1].out
    assert "model process crashed twice on this task" in found and buried.task.id[:12] in found
    (letter,) = map(json.loads, captionfill("queue", "dead-letters", "--json")[1].out.splitlines())
    assert letter["work"] == buried.task.id and letter["lane"] == "interactive"


def test_a_dead_letter_put_back_answers_its_client(captionfill, settings, consumer, buried):
    assert outcome(settings, buried) == TaskFailure("model process crashed twice on this task")
    status, printed = captionfill("queue", "requeue", "--all")
    assert (status, printed.out) == (0, "put back 1 of 1\n")
    assert state(settings, buried) == State.QUEUED
    consumer.finish(consumer.take(ALL), [RESULT])
    assert outcome(settings, buried) == RESULT
    assert captionfill("queue", "dead-letters")[1].out == ""


def test_a_letter_that_is_gone_is_named(captionfill):
    status, printed = captionfill("queue", "requeue", "1-1")
    assert status == 1 and "gone: 1-1" in printed.out


@pytest.mark.parametrize("wrong", ["x", "1", "1-x", "-"])
def test_what_is_no_entry_is_one_clear_line(captionfill, wrong):
    status, printed = captionfill("queue", "requeue", "--", wrong)
    assert status == 1 and "is no entry" in printed.err and len(printed.err.splitlines()) == 1


def test_requeue_needs_to_know_what(captionfill):
    assert captionfill("queue", "requeue")[0] == 2


@pytest.mark.parametrize("command", ["status", "drain", "dead-letters"])
def test_unreachable_queue_is_one_clear_line(captionfill, monkeypatch, command):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    status, printed = captionfill("queue", command)
    assert status == 1 and "answer" in printed.err and len(printed.err.splitlines()) == 1


def test_command_reports_unreachable_redis_once():
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1"}
    line = [sys.executable, "-m", "service.cli.main", "queue", "status"]
    ended = subprocess.run(
        line, check=False, env=environment, capture_output=True, text=True, timeout=60
    )
    [found] = ended.stderr.splitlines()
    assert ended.returncode == 1 and "REDIS_URL" in found and "Error 111" in found


def test_without_a_url_the_message_names_none(captionfill, monkeypatch, tmp_path):
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("CAPTIONFILL_DATA_FOLDER", str(tmp_path))
    monkeypatch.setattr("service.config.settings.Settings.queue_url", "redis://127.0.0.1:1")
    assert "no REDIS_URL" in captionfill("queue", "status")[1].err


def test_without_url_the_embedded_server_is_used(captionfill, monkeypatch, tmp_path):
    from service.supervisor.embedded_redis import EmbeddedRedis

    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("CAPTIONFILL_DATA_FOLDER", str(tmp_path))
    server = EmbeddedRedis(tmp_path)
    try:
        assert captionfill("queue", "status")[0] == 0
    finally:
        server.stop()
