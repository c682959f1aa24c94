"""Output files are checked before the work and replaced atomically."""

import errno
import os
from pathlib import Path

import pytest

from captionfill.errors import StartError
from captionfill.output_files import check_output, check_output_folder, write_atomically
from tests.helpers.errors import raise_disk_full


@pytest.fixture
def place(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", ["folder", "file/x", "file/below/x", "/proc/none/x", "n" * 300])
def test_what_cannot_be_written_is_told(place, name):
    with pytest.raises(StartError, match="cannot be written: "):
        check_output(place / name, error=StartError)


@pytest.mark.parametrize("name", ["file", "new", "deep/down/new", "link"])
def test_writable_path_is_left_unchanged(place, name):
    (place / "link").symlink_to(place / "dangling")
    before = sorted(place.rglob("*"))
    check_output(place / name, error=StartError)
    assert sorted(place.rglob("*")) == before
    assert (place / "file").read_text() == "in the way"


@pytest.mark.parametrize("name", ["file", "file/x", "/proc/none/x"])
def test_a_folder_that_cannot_be_made_is_told(place, name):
    with pytest.raises(StartError, match="cannot be written: "):
        check_output_folder(place / name, error=StartError)


def test_file_is_replaced_whole_or_not_at_all(place):
    with pytest.raises(UnicodeEncodeError):
        write_atomically(place / "file", "half \ud800")
    assert (place / "file").read_text() == "in the way"
    assert sorted(p.name for p in place.iterdir()) == ["file", "folder"]


def test_a_written_file_keeps_its_mode_and_links(place):
    (place / "file").chmod(0o640)
    (place / "link").symlink_to(place / "file")
    write_atomically(place / "link", b"new")
    assert (place / "file").read_text() == "new" and (place / "link").is_symlink()
    assert (place / "file").stat().st_mode & 0o777 == 0o640


def test_target_that_cannot_be_renamed_onto_is_overwritten(place, monkeypatch):
    def busy(self, target):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    write_atomically(place / "file", "new")
    assert (place / "file").read_text() == "new"
    assert sorted(p.name for p in place.iterdir()) == ["file", "folder"]


def test_a_full_disk_leaves_the_older_file(place, monkeypatch):
    monkeypatch.setattr(os, "fsync", raise_disk_full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(place / "file", "new")
    assert (place / "file").read_text() == "in the way"
    assert sorted(p.name for p in place.iterdir()) == ["file", "folder"]


def test_a_pipe_is_written_in_place(place):
    os.mkfifo(place / "pipe")
    reading = os.open(place / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(place / "pipe", b"picture")
    assert os.read(reading, 100) == b"picture"
    os.close(reading)


def test_a_pipe_behind_dev_stdout_is_an_output():
    reading, writing = os.pipe()
    output = Path(f"/dev/fd/{writing}")
    check_output(output, error=StartError)
    write_atomically(output, b"content")
    assert os.read(reading, 100) == b"content"
    os.close(reading)
    os.close(writing)
