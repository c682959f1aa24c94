import json
import logging

import pytest

from service.observability import JsonFormatter

pytestmark = pytest.mark.server


def test_a_sane_request_id_is_kept_and_told(behind_gate):
    answer = behind_gate().get("/whoami/x", headers={"X-Request-Id": "trace-17.a"})
    assert answer.headers["x-request-id"] == answer.json()["request"] == "trace-17.a"


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "<script>", "a\x0bb"])
def test_any_other_request_gets_a_new_id(behind_gate, given):
    headers = {} if given is None else {"X-Request-Id": given}
    response = behind_gate().get("/whoami/x", headers=headers).headers["x-request-id"]
    assert response != given and len(response) == 32


def test_every_line_of_a_request_carries_its_id(behind_gate, caplog):
    lines = []

    class Collect(logging.Handler):
        def emit(self, record):
            lines.append(json.loads(JsonFormatter().format(record)))

    logger = logging.getLogger("captionfill")
    logger.addHandler(handler := Collect())
    caplog.set_level("INFO", "captionfill")
    try:
        behind_gate().get("/boom", headers={"X-Request-Id": "one"})
    finally:
        logger.removeHandler(handler)
    assert [line["event"] for line in lines] == ["unexpected error", "request"]
    assert {line["request_id"] for line in lines} == {"one"}


def test_access_log_has_route_without_path_or_query(behind_gate, caplog):
    caplog.set_level("INFO", "captionfill")
    behind_gate().get("/whoami/secret?token=secret")
    (line,) = [vars(record) for record in caplog.records if record.msg == "request"]
    assert (line["route"], line["status"], line["method"]) == ("/whoami/{anything}", 200, "GET")
    assert line["ms"] >= 0 and line["bytes"] > 0 and "secret" not in str(line)


@pytest.mark.parametrize("path", ["/whoami/x", "/nothing", "/boom"])
def test_every_answer_has_the_security_headers(behind_gate, path):
    headers = behind_gate().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer" and headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_unexpected_error_is_an_opaque_problem_with_id(behind_gate):
    answer = behind_gate().get("/boom")
    assert answer.json()["type"] == "/problems/internal-error" and "division" not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_observers_are_told_of_every_exchange(behind_gate):
    seen = []
    client = behind_gate(observers=[seen.append])
    client.get("/whoami/1")
    client.request("BREW", "/nothing", headers={"Host": "evil"})
    assert [(each.method, each.route, each.status) for each in seen] == [
        ("GET", "/whoami/{anything}", 200),
        ("other", "none", 421),
    ]
    assert seen[1].problem == "wrong-host"
