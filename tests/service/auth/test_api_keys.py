import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from captionfill.errors import StartError
from service.auth.api_keys import ApiKeyFile, Principal


@pytest.fixture
def keys(tmp_path):
    return ApiKeyFile(tmp_path / "new" / "keys.jsonl")


def test_a_key_finds_its_caller(keys):
    key = keys.create("ann", admin=True, rate=5)
    keys.create("ben")
    assert key.startswith("cf_") and len(key) == 46
    assert keys.find(key) == Principal("ann", admin=True, rate=5)


@pytest.mark.parametrize("wrong", ["", "cf_", "ann", "cf_ü\udcff"[:4], "x" * 100_000])
def test_another_key_finds_nobody(keys, wrong):
    keys.create("ann")
    assert keys.find(wrong) is None


def test_file_holds_no_key_and_is_private(keys):
    key = keys.create("ann")
    text = keys.path.read_text()
    assert key not in text and key[3:] not in text
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


def test_key_works_and_stops_working_without_restart(keys):
    running = ApiKeyFile(keys.path)
    assert running.find("cf_nothing") is None
    key = keys.create("ann")
    assert running.find(key) == Principal("ann")
    keys.revoke("ann")
    assert running.find(key) is None


def test_rotation_keeps_the_newest_key_of_a_name(keys):
    old, old_id = keys.create("ann"), keys.read()[0].id
    new = keys.create("ann")
    assert [key.id for key in keys.revoke(old_id)] == [old_id]
    assert keys.find(old) is None and keys.find(new) == Principal("ann")


def test_two_commands_at_once_lose_no_key(keys):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: ApiKeyFile(keys.path).create(f"n{i}"), range(24)))
    assert len({keys.find(key).name for key in made}) == 24


@pytest.mark.parametrize(
    "line", ["not json", "[1]", "{}", '{"name": 1}', "\xff\xfe", "[" * 10_000, "TYPES", "HASH"]
)
def test_damaged_line_is_skipped_alone(keys, caplog, line):
    good, revoked = keys.create("ann"), keys.create("ben")
    assert keys.find(good) and keys.find(revoked)
    first, second = keys.path.read_text().splitlines()
    line = {
        "TYPES": second.replace('"admin": false', '"admin": "no"'),
        "HASH": second.replace('"sha256": "', '"sha256": "é'),
    }.get(line, line)
    keys.path.write_bytes(f"{first}\n{line}\n".encode("latin-1"))
    assert keys.find(good) == Principal("ann")
    assert keys.find(revoked) is None
    assert "damaged lines (2)" in keys.refresh() and not keys.is_refusing
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    with pytest.raises(StartError, match="not a key: line 2"):
        keys.read()
    keys.path.write_text(f"{first}\n{second}\n")
    assert keys.find(revoked) == Principal("ben") and not keys.refresh()


def test_unreadable_file_keeps_its_keys_for_ten_seconds(keys, caplog, monkeypatch):
    key, now = keys.create("ann"), 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    assert keys.find(key)
    lines = keys.path.read_bytes()
    keys.path.unlink()
    keys.path.mkdir()  # not to be read by root either
    now += 5
    assert keys.find(key) == Principal("ann") and "cannot be read" in keys.refresh()
    now += 9.9
    assert keys.find(key) == Principal("ann") and not keys.is_refusing
    now += 0.2
    assert keys.find(key) is None and keys.is_refusing
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    keys.path.rmdir()
    keys.path.write_bytes(lines)
    assert keys.find(key) == Principal("ann") and not keys.refresh() and not keys.is_refusing


def test_a_missing_file_is_named(keys, caplog):
    keys.create("ann")
    assert not keys.refresh()
    keys.path.unlink()
    assert "missing" in keys.refresh() and keys.is_refusing
    keys.refresh()
    assert len(caplog.records) == 1


def test_a_file_taken_away_takes_every_key_away(keys):
    key = keys.create("ann")
    assert keys.find(key)
    keys.path.unlink()
    assert keys.find(key) is None


@pytest.mark.parametrize("name", ["", "a b", "../x", "a\n", "é", "x" * 65])
def test_a_name_that_is_none_is_refused(keys, name):
    with pytest.raises(StartError, match="no name"):
        keys.create(name)


def test_every_entry_is_compared_whichever_fits(keys, monkeypatch):
    made = [keys.create(f"n{i}") for i in range(5)]
    keys.find(made[0])
    seen = []
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: seen.append(a) or a == b)
    assert keys.find(made[0]).name == "n0"
    assert seen == [json.loads(line)["sha256"] for line in keys.path.read_text().splitlines()]
