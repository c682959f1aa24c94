"""Replace a folder's files as a whole: an interruption leaves the old ones or the new ones."""

import ctypes
import errno
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from models.errors import ModelsError

MAX_OTHER_FILES = 100  # a folder with more files is not replaced as a whole
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


class ReplaceError(ModelsError):
    """A folder cannot be written; what was in it is as before."""


@contextmanager
def replace_folder(folder: Path, owned: Collection[str]) -> Iterator[Path]:
    """Yield an empty draft folder whose files replace those of `folder` if no error is raised.

    The draft lies beside the folder and is exchanged with it in one rename. Where the folder cannot
    be renamed (a mount point, the working directory, a parent that cannot be written) or holds more
    than a few files, the draft lies inside, and its files are moved one by one and moved back at an
    error. A missing folder is made. Files of the folder stay if the draft has none of their name,
    except those that are `owned`, which are removed.

    Raises:
        ReplaceError: the folder cannot be written.
    """
    folder = folder.resolve()
    draft = None
    try:
        draft = make_staging_folder(folder)
        yield draft
        written = [place.name for place in draft.iterdir()]
        if draft.parent == folder or not swap_folders(draft, folder, owned):
            move_files(draft, folder, written, owned)
    except OSError as error:
        raise ReplaceError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def make_staging_folder(folder: Path) -> Path:
    """Make the draft folder, beside `folder` where it can be renamed, else inside."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is a file")
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists() or is_movable(folder):
        try:
            return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        except OSError:
            if not folder.exists():
                raise
    return Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))


def is_movable(folder: Path) -> bool:
    """Whether a folder holds only a few files, and is no mount point or working directory."""
    held = [*islice(folder.iterdir(), MAX_OTHER_FILES + 1)]
    few = len(held) <= MAX_OTHER_FILES and not any(place.is_dir() for place in held)
    return few and folder != Path.cwd() and not folder.is_mount()


def swap_folders(draft: Path, folder: Path, owned: Collection[str]) -> bool:
    """Exchange the draft and the folder; return whether that was possible."""
    if not folder.exists():
        draft.chmod(0o755)
        draft.rename(folder)
        return True
    for place in folder.iterdir():
        if place.name not in owned and not (draft / place.name).exists():
            link_or_copy(place, draft / place.name)
    shutil.copymode(folder, draft)
    return exchange(draft, folder)


def link_or_copy(old: Path, new: Path) -> None:
    """Link a file, or copy it where there are no hard links."""
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:
        shutil.copy2(old, new, follow_symlinks=False)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step where the system can (Linux), else in two renames."""
    with suppress(AttributeError, OSError):
        rename = ctypes.CDLL(None, use_errno=True).renameat2
        if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
            return True
    aside = one.with_name(f"{one.name}-old")
    try:
        other.rename(aside)
    except OSError:  # such as EBUSY of a mount point that does not look like one
        return False
    try:
        one.rename(other)
    except BaseException:
        aside.rename(other)
        raise
    aside.rename(one)
    return True


def move_files(draft: Path, folder: Path, names: Collection[str], owned: Collection[str]) -> None:
    """Move the draft's files into the folder one by one; at an error move the old ones back."""
    aside = Path(tempfile.mkdtemp(prefix=".replaced-", dir=folder))
    done = []
    try:
        for name in {*names, *owned}:
            if (folder / name).exists():
                (folder / name).rename(aside / name)
            if name in names:
                shutil.move(draft / name, folder / name)
            done.append(name)
    except BaseException:
        for name in {*names, *owned}:
            if name in done:
                (folder / name).unlink(missing_ok=True)
            if (aside / name).exists():
                (aside / name).replace(folder / name)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
