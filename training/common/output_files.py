"""Checks before any work that its results can be written, and whole-file writing."""

import errno
import os
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from training.common.errors import OutputError


def check_output(*places: Path) -> None:
    """Check that files can be written; nothing is created or changed.

    Args:
        places: files, present (they will be replaced) or not; missing parents count as creatable
            where the nearest existing folder is writable.

    Raises:
        OutputError: one of them is a folder or lies below a file, or no file can be made there.
    """
    for place in places:
        try:
            target = place.resolve()
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if target.is_file():
                target.open("r+b").close()
            elif not place.exists():  # a pipe behind /dev/stdout exists, but resolves to no path
                check_writable(target.parent)
        except (OSError, RuntimeError) as error:
            raise write_error(place, error) from error


def check_result_files(out: Path) -> None:
    """Check before any work that results can be written: JSON, and table and picture beside it.

    Raises:
        OutputError: the name does not end in `.json`, or one of the files cannot be written.
    """
    if out.suffix != ".json":
        raise OutputError(f"{out}: the name of the result must end in .json")
    check_output(out, out.with_suffix(".md"), out.with_suffix(".png"))


def check_output_folder(place: Path) -> None:
    """Check that files can be written below a folder, present or not; nothing is changed.

    Raises:
        OutputError: there is a file in its place, or it cannot be made or written to.
    """
    try:
        check_writable(place.resolve())
    except (OSError, RuntimeError) as error:
        raise write_error(place, error) from error


def check_writable(folder: Path) -> None:
    """Make an unnamed file in a folder, or in the nearest one above it that exists."""
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a file")
    tempfile.TemporaryFile(dir=folder).close()


def write_error(place: Path, error: Exception) -> OutputError:
    """Return the error that names a place and why it cannot be written."""
    return OutputError(f"{place} cannot be written: {getattr(error, 'strerror', None) or error}")


def write_atomically(place: Path, content: str | bytes) -> None:
    """Write a file so that a process that is killed leaves the old content or the new.

    A temporary file beside it takes its place by one rename. What cannot be replaced by a rename
    (a pipe, a mounted file, a file in a folder that cannot be written) is written in place.

    Args:
        place: present or not; its folder is made where it is missing.
        content: bytes, or text to be written as UTF-8.

    Raises:
        OSError: it cannot be written; an older file in its place is as before.
    """
    data = content.encode() if isinstance(content, str) else content
    target = place.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    replaceable = not place.exists() or target.is_file()
    if not (replaceable and _replaced(target, data)):
        place.write_bytes(data)


def _replaced(target: Path, data: bytes) -> bool:
    """Replace a file by a rename; say whether that can be done there."""
    draft = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        try:
            file = draft.open("xb")
        except PermissionError:
            return False
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, draft)
        return _renamed(draft, target)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _renamed(draft: Path, target: Path) -> bool:
    try:
        draft.replace(target)
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EPERM, errno.EACCES):  # mounted, or another user's
            return False
        raise
    return True
