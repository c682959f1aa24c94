"""Signed addresses of a job's events, with API keys on."""

import json
import logging
import time

import pytest
from fastapi.testclient import TestClient

from service.api.app import create_app
from service.auth import event_url
from service.auth.api_keys import ApiKeyFile
from service.observability import JsonFormatter

pytestmark = pytest.mark.server


@pytest.fixture
def keys(tmp_path):
    return ApiKeyFile(tmp_path / "keys.jsonl")


@pytest.fixture
def client(settings, keys):
    """A client without a key; `settings` have keys on."""
    chosen = settings.model_copy(update={"auth": "on", "keys_file": keys.path})
    with TestClient(create_app(chosen), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def submit(client, keys, picture):
    """Submit a job with a new key of a name; its status."""

    def submit(name="ann"):
        key = {"X-API-Key": keys.create(name)}
        files, data = {"image": picture}, {"caption": "a cat"}
        answer = client.post(
            "/inpaint", files=files, data=data, headers={"Prefer": "respond-async", **key}
        )
        return client.get(answer.headers["location"], headers=key).json()

    return submit


def statuses(answer):
    lines = answer.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def test_a_signed_address_needs_no_key(client, worker, submit):
    links = submit()["links"]
    answer = client.get(links["event_source"])
    assert statuses(answer)[-1]["state"] == "done"
    assert client.get(links["events"]).status_code == 401


def test_a_client_reconnects_until_the_end(client, worker, submit):
    address = submit()["links"]["event_source"]
    ids = [line[4:] for line in client.get(address).text.splitlines() if line.startswith("id: ")]
    assert len(ids) == 3
    again = client.get(address, headers={"Last-Event-ID": ids[0]})
    assert [one["state"] for one in statuses(again)] == ["running", "done"]
    assert client.get(address, headers={"Last-Event-ID": ids[-1]}).status_code == 204


def test_a_token_opens_one_job_s_events_alone(client, submit):
    first, second = submit()["links"], submit()["links"]
    token = first["event_source"].partition("?")[2]
    others = [second["events"], first["self"], first["result"], "/v1/models", "/metrics"]
    assert {client.get(f"{path}?{token}").status_code for path in others} == {401}
    assert client.delete(f"{first['self']}?{token}").status_code == 401
    assert client.post(f"{first['events']}?{token}").status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
        lambda token: f"{int(token.partition('.')[0]) + 1}.{token.partition('.')[2]}",
        lambda token: token.replace(".", ""),
        lambda token: token.upper().replace(".", ".A"),
        lambda token: f"{token}&token={token}",
        lambda token: "",
    ],
)
def test_a_changed_token_is_refused(client, submit, change):
    path, _, token = submit()["links"]["event_source"].partition("?token=")
    problem = client.get(f"{path}?token={change(token)}")
    assert (problem.status_code, problem.json()["type"]) == (401, "/problems/key-required")


def test_a_token_expires(client, submit, monkeypatch):
    address = submit()["links"]["event_source"]
    left = int(address.partition("token=")[2].partition(".")[0]) - time.time()
    assert 0 < left <= event_url.LIFETIME_SECONDS == 600
    then = time.time() + 601
    monkeypatch.setattr(event_url.time, "time", lambda: then)
    problem = client.get(address)
    assert problem.status_code == 401 and "expired" in problem.json()["detail"]


def test_events_do_not_renew_their_address(client, worker, submit):
    address = submit()["links"]["event_source"]
    response = statuses(client.get(address))
    assert {one["links"]["event_source"] for one in response} == {address}


def test_a_token_ends_with_its_owner_s_key(client, keys, submit):
    address = submit("ben")["links"]["event_source"]
    submit("ann")
    keys.revoke("ben")
    assert client.get(address).status_code == 401


def test_a_job_without_a_secret_has_no_token(client, settings, server, submit):
    job, path = submit()["id"], submit()["links"]["events"]
    server.hdel(f"{{{settings.namespace}}}:job:{job}", "secret")
    forged = event_url.sign(job, "")
    assert client.get(f"{path.rsplit('/', 2)[0]}/{job}/events?token={forged}").status_code == 401


def test_a_token_is_never_logged(client, worker, submit, caplog):
    caplog.set_level(logging.DEBUG)
    address = submit()["links"]["event_source"]
    token = address.partition("token=")[2]
    client.get(address)
    client.get(f"{address}0")
    ours = [record for record in caplog.records if record.name.startswith("captionfill")]
    lines = "\n".join(map(JsonFormatter().format, ours))
    assert "/jobs/{job}/events" in lines and token not in lines


def test_a_replayed_event_has_its_own_state(client, worker, submit):
    address = submit()["links"]["event_source"]
    client.get(address)  # to its end
    names = [line[7:] for line in client.get(address).text.splitlines() if "event: " in line]
    response = statuses(client.get(address))
    assert [one["state"] for one in response] == names == ["queued", "running", "done"]
    assert [one["position"] for one in response] == [None, None, None]
