import pytest

from service.auth.api_keys import ApiKeyFile, Principal


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONFILL_KEYS_FILE", str(tmp_path / "k.jsonl"))
    return tmp_path / "k.jsonl"


def test_new_key_is_all_of_standard_output(captionfill, place):
    status, printed = captionfill("keys", "new", "ann", "--admin", "--rate", "2.5")
    assert status == 0 and "only time" in printed.err
    assert ApiKeyFile(place).find(printed.out.strip()) == Principal("ann", admin=True, rate=2.5)


def test_keys_are_listed_and_revoked_by_name(captionfill, place):
    captionfill("keys", "new", "ann")
    assert "ann" in captionfill("keys", "list")[1].out
    assert "revoked" in captionfill("keys", "revoke", "ann")[1].out
    assert captionfill("keys", "list")[1].out == ""


def test_revoking_nobody_is_one_clear_line(captionfill):
    status, printed = captionfill("keys", "revoke", "ann")
    assert status == 1 and printed.err == "captionfill: no key has the name or id 'ann'\n"


@pytest.mark.parametrize("command", ["api", "serve"])
def test_public_api_does_not_start_without_a_key(captionfill, command):
    status, printed = captionfill(command, "--host", "0.0.0.0")
    assert status == 1 and "captionfill keys new NAME" in printed.err
    assert len(printed.err.splitlines()) == 1
