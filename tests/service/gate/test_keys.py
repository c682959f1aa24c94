import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.errors import StartError
from service.gate.caller import Caller
from service.gate.keys import KeyFile


@pytest.fixture
def keys(tmp_path):
    return KeyFile(tmp_path / "new" / "keys.jsonl")


def test_a_key_finds_its_caller(keys):
    key = keys.new("ann", admin=True, rate=5)
    keys.new("ben")
    assert key.startswith("cf_") and len(key) == 46
    assert keys.find(key) == Caller("ann", admin=True, rate=5)


@pytest.mark.parametrize("wrong", ["", "cf_", "ann", "cf_ü\udcff"[:4], "x" * 100_000])
def test_another_key_finds_nobody(keys, wrong):
    keys.new("ann")
    assert keys.find(wrong) is None


def test_the_file_holds_no_key_and_is_its_owner_s_alone(keys):
    key = keys.new("ann")
    text = keys.path.read_text()
    assert key not in text and key[3:] not in text
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_a_key_works_and_stops_working_without_a_restart(keys):
    running = KeyFile(keys.path)
    assert running.find("cf_nothing") is None
    key = keys.new("ann")
    assert running.find(key) == Caller("ann")
    keys.revoke("ann")
    assert running.find(key) is None


def test_a_rotation_keeps_the_new_key_of_the_name(keys):
    old, old_id = keys.new("ann"), keys.read()[0].id
    new = keys.new("ann")
    assert [key.id for key in keys.revoke(old_id)] == [old_id]
    assert keys.find(old) is None and keys.find(new) == Caller("ann")


def test_two_commands_at_once_lose_no_key(keys):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: KeyFile(keys.path).new(f"n{i}"), range(24)))
    assert len({keys.find(key).name for key in made}) == 24


def test_a_broken_file_leaves_the_former_keys_in_force(keys, caplog):
    key = keys.new("ann")
    assert keys.find(key)
    keys.path.write_text("not json\n")
    assert keys.find(key) == Caller("ann") and "unreadable" in caplog.text
    with pytest.raises(StartError, match="not a key"):
        keys.read()


def test_a_file_taken_away_takes_every_key_away(keys):
    key = keys.new("ann")
    assert keys.find(key)
    keys.path.unlink()
    assert keys.find(key) is None


@pytest.mark.parametrize("name", ["", "a b", "../x", "a\n", "é", "x" * 65])
def test_a_name_that_is_none_is_refused(keys, name):
    with pytest.raises(StartError, match="no name"):
        keys.new(name)


def test_every_entry_is_compared_whichever_fits(keys, monkeypatch):
    made = [keys.new(f"n{i}") for i in range(5)]
    keys.find(made[0])
    seen = []
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: seen.append(a) or a == b)
    assert keys.find(made[0]).name == "n0"
    assert seen == [json.loads(line)["sha256"] for line in keys.path.read_text().splitlines()]
