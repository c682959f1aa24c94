import time

import pytest

pytestmark = pytest.mark.server


def pieces(count, size=10_000, pause=0.0):
    for _ in range(count):
        time.sleep(pause)
        yield bytes(size)


def test_a_body_is_counted_while_it_is_read(behind_gate, kind):
    answer = behind_gate(max_bytes=100_000).post("/echo", content=pieces(20))
    assert (answer.status_code, kind(answer)) == (413, "body-too-large")
    assert answer.headers["content-security-policy"] and answer.headers["x-request-id"]


def test_an_announced_body_is_refused_unread(behind_gate, kind):
    answer = behind_gate(max_bytes=1000).post("/echo", content=bytes(80_000))
    assert kind(answer) == "body-too-large" and answer.headers["connection"] == "close"


def test_a_body_within_the_limit_arrives_whole(behind_gate):
    assert (
        behind_gate(max_bytes=100_000).post("/echo", content=pieces(10)).json()["size"] == 100_000
    )


def test_a_route_may_take_more(behind_gate):
    client = behind_gate(max_bytes=1000, body_limits={"/echo": 200_000})
    assert client.post("/echo", content=pieces(20)).json()["size"] == 200_000
    assert client.post("/refuse", content=bytes(200_000)).status_code == 413


def test_response_before_the_body_closes_the_connection(behind_gate):
    client = behind_gate()
    assert client.post("/refuse", content=b"unread").headers["connection"] == "close"
    assert "connection" not in client.post("/echo", content=b"read").headers
    assert "connection" not in client.post("/refuse").headers


def test_an_endless_announcement_is_refused_unread(behind_gate, kind):
    headers = {"Content-Length": "9" * 23}
    assert kind(behind_gate().post("/echo", content=b"", headers=headers)) == "body-too-large"


def test_a_slow_body_is_cut_off(behind_gate, kind):
    answer = behind_gate(upload_timeout=0.1).post("/echo", content=pieces(100, pause=0.02))
    assert (answer.status_code, kind(answer)) == (408, "upload-too-slow")
