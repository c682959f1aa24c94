from pathlib import Path

import pytest

from captionfill.errors import StartError
from service.config.data_folder import prepare_data_folder


def test_a_folder_is_made_with_those_above_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert prepare_data_folder(Path("a/b")) == tmp_path.resolve() / "a" / "b"
    assert not list((tmp_path / "a" / "b").iterdir())


@pytest.mark.parametrize("folder", ["file", "file/inside", "/proc/nothing/here", "x" * 300])
def test_what_is_no_usable_folder_is_refused(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    with pytest.raises(StartError, match="CAPTIONFILL_DATA_FOLDER") as caught:
        prepare_data_folder(Path(folder))
    assert ("is not a folder" in str(caught.value)) == folder.startswith("file")


def test_a_folder_that_was_deleted_is_refused(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(StartError, match="CAPTIONFILL_DATA_FOLDER"):
        prepare_data_folder(Path(".captionfill"))


@pytest.mark.parametrize("command", [["serve"], ["keys", "new", "ann"]])
def test_a_working_folder_to_write_in_is_needed(captionfill, monkeypatch, command):
    monkeypatch.chdir("/proc")  # read-only for root as well
    monkeypatch.delenv("REDIS_URL", raising=False)
    status, printed = captionfill(*command)
    assert status == 1 and len(printed.err.splitlines()) == 1 and "CAPTIONFILL_" in printed.err


@pytest.mark.parametrize("command", [["serve"], ["keys", "new", "ann"]])
def test_a_file_in_its_place_is_one_line(captionfill, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    Path(".captionfill").write_text("")
    status, printed = captionfill(*command)
    assert status == 1 and len(printed.err.splitlines()) == 1 and "CAPTIONFILL_" in printed.err
