"""No password ends in a message or a log, whichever command meets it."""

import contextlib
import io
import json
import logging
import socket
import sys
import threading
from unittest import mock
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captionfill.errors import StartError
from service.cli.main import main
from service.config.settings import Settings, load_settings
from service.errors.redaction import redact, register_secrets
from service.observability import JsonFormatter
from service.redis.client import CONNECTION, reason_of
from tests.reliability.harness.cluster import free_port
from tests.service.redis.test_url import PASSWORDS

COMMANDS = [
    ["worker"],
    ["api"],
    ["serve"],
    ["queue", "status"],
    ["queue", "drain"],
    ["queue", "dead-letters"],
    ["queue", "requeue", "1-1"],
    ["queue", "requeue", "--all"],
    ["keys", "list"],
    ["keys", "revoke", "nobody"],
    ["fill", "nothing.png", "a cat", "-o", "filled.png"],
]


def run_command(arguments, **environment):
    """Status and output of a command in this process.

    The echoing server leaves some replies incomplete; a command waits a second for the rest.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict("os.environ", environment),
        mock.patch.object(sys, "argv", ["captionfill", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(CONNECTION, socket_timeout=1),
        mock.patch(
            "service.worker.model_process.ModelProcess", side_effect=StartError("no bundle")
        ),
    ):
        try:
            main()
        except SystemExit as ended:
            return ended.code or 0, out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


@pytest.fixture(scope="module")
def taken_port():
    """A port that is in use, so that `api` does not begin to serve."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield str(taken.getsockname()[1])


@pytest.fixture(scope="module")
def echoing_server():
    """A server that repeats what it is sent in its errors, as old versions of Redis do."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection):
        with connection, contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                words = piece.decode("utf-8", "replace").replace("\r\n", " ")
                connection.sendall(f"-ERR unknown command with args: {words}\r\n".encode() * 4)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=[listener.accept()[0]], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(password=PASSWORDS, arguments=st.sampled_from(COMMANDS), encoded=st.booleans())
def test_no_command_tells_the_password(
    password, arguments, encoded, taken_port, echoing_server, tmp_path
):
    # Marked, as a password of "redis" is in many a message all the same.
    password = f"Kx7Kx7{password}Qz9Qz9".replace("\0", "")
    written = quote(password, safe="") if encoded else password
    url = f"redis://:{written}@127.0.0.1:{echoing_server}/0"
    port = str(free_port()) if arguments == ["serve"] else taken_port  # it gets to its Redis
    folder = str(tmp_path / "data")
    status, said = run_command(arguments, REDIS_URL=url, PORT=port, CAPTIONFILL_DATA_FOLDER=folder)
    assert "Traceback" not in said
    assert "Kx7" not in said and "Qz9" not in said
    assert status or arguments == ["keys", "list"] or not encoded


def test_an_answer_with_the_password_is_masked(echoing_server):
    """The control: without masking this server's error tells the password."""
    url = f"redis://:open-sesame@127.0.0.1:{echoing_server}/0"
    status, said = run_command(["queue", "drain"], REDIS_URL=url)
    assert status == 1 and "unknown command" in said
    assert "***" in said and "open-sesame" not in said


def test_an_unforeseen_traceback_is_masked():
    register_secrets(["swordfish-9"])
    with mock.patch("service.cli.main.app", side_effect=RuntimeError("at swordfish-9")):
        status, said = run_command([])
    assert status == 1 and "RuntimeError: at ***" in said and "swordfish" not in said


@pytest.mark.parametrize("secret", ['say "please"', "back\\slash", "naïve 漢字", "p@ss#w/rd"])
def test_a_log_line_is_masked_and_stays_json(secret):
    register_secrets([secret])
    record = logging.makeLogRecord({"msg": f"Redis said {secret}", "reason": [secret], "e": 1})
    record.error = ValueError(secret)
    record.exc_info = (ConnectionError, ConnectionError(secret), None)
    line = JsonFormatter().format(record)
    assert json.loads(line)["event"] == "Redis said ***" and json.loads(line)["reason"] == ["***"]
    assert redact(line) == line and secret not in line


def test_a_secret_with_other_white_space_is_masked():
    register_secrets(["tab\tand\nline end"])
    assert redact("it was tab and line  end.") == "it was ***."


@pytest.mark.parametrize("before", range(285, 300))
def test_a_reason_is_masked_before_it_is_cut(before):
    register_secrets(["cut-off-secret"])
    reason = reason_of(ConnectionError(f"{'x' * (before - 20)} cut-off-secret"))
    assert "cut-o" not in reason


def test_the_settings_tell_no_secret(monkeypatch):
    secret = "whsec_" + "c2VjcmV0" * 4
    made = Settings(redis_url="redis://:open-sesame@h", webhook_secret=secret)
    for text in (repr(made), str(made)):
        assert "open-sesame" not in text and secret not in text
    monkeypatch.setenv("REDIS_URL", "redis://:open#sesame@h")
    with pytest.raises(Exception, match="REDIS_URL") as caught:
        load_settings()
    assert "sesame" not in str(caught.value) and caught.value.__cause__ is None
