"""A folder's files are replaced as a whole, however it lies, or not at all."""

import errno
from pathlib import Path

import pytest

from models.runtime.replace_files import ReplaceError, replace_folder

OLD, NEW = {"a": "old a", "b": "old b"}, {"a": "new a"}
OWNED = ("a", "b")
KEPT = {"mine": "mine"}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "bundle"
    place.mkdir()
    for name, text in {**OLD, **KEPT}.items():
        (place / name).write_text(text)
    return place


def write(place):
    with replace_folder(place, OWNED) as draft:
        (draft / "a").write_text("new a")


def texts(place):
    return {str(p.relative_to(place)): p.read_text() for p in place.rglob("*") if p.is_file()}


def refuse(names):
    """Refuse to rename the folders with these names, as the kernel does with a mount point."""
    rename = Path.rename

    def busy(self, target):
        if self.name in names:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return rename(self, target)

    return busy


@pytest.fixture(
    params=["swapped", "two renames", "mount", "hidden mount", "working", "link", "crowded"]
)
def way(request, folder, monkeypatch):
    """The folder in every state that decides how it is replaced."""
    if request.param in ("two renames", "hidden mount"):
        monkeypatch.setattr("models.runtime.replace_files.ctypes.CDLL", lambda *_, **__: object())
    if request.param == "mount":
        monkeypatch.setattr(Path, "is_mount", lambda self: self == folder)
    if request.param in ("mount", "hidden mount"):
        monkeypatch.setattr(Path, "rename", refuse({folder.name}))
    if request.param == "crowded":
        monkeypatch.setattr("models.runtime.replace_files.MAX_OTHER_FILES", 2)
    if request.param == "working":
        monkeypatch.chdir(folder)
    if request.param == "link":
        (folder.parent / "link").symlink_to(folder)
        return folder.parent / "link"
    return folder


def test_new_files_replace_the_old_and_others_stay(way, folder):
    write(way)
    assert texts(folder) == {**NEW, **KEPT}
    assert [p.name for p in folder.parent.iterdir() if p.name != "link"] == ["bundle"]
    assert way.is_symlink() or folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_files(way, folder, error):
    with pytest.raises(error), replace_folder(way, OWNED) as draft:
        (draft / "a").write_text("new a")
        raise error
    assert texts(folder) == {**OLD, **KEPT}
    assert [p.name for p in folder.parent.iterdir() if p.name != "link"] == ["bundle"]


def test_error_between_two_files_restores_the_old_ones(folder, monkeypatch):
    monkeypatch.chdir(folder)
    move = Path.rename

    def stop(self, target):
        if self.name == "b":
            raise KeyboardInterrupt
        return move(self, target)

    monkeypatch.setattr(Path, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        write(folder)
    monkeypatch.undo()
    assert texts(folder) == {**OLD, **KEPT}


def test_folders_of_others_stay_where_they_are(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "theirs").write_text("theirs")
    before = folder.stat().st_ino, (folder / "sub").stat().st_ino
    write(folder)
    assert texts(folder) == {**NEW, **KEPT, "sub/theirs": "theirs"}
    assert (folder.stat().st_ino, (folder / "sub").stat().st_ino) == before


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    write(tmp_path / "deep" / "down")
    assert texts(tmp_path / "deep" / "down") == NEW


def test_file_in_the_way_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ReplaceError, match="cannot be written: it is a file"):
        write(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
