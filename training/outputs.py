"""Checks before any work that its results can be written, and whole-file writing."""

import errno
import os
import tempfile
from pathlib import Path

from training.errors import OutputError


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
            elif not target.exists():  # what exists and is no regular file, such as /dev/stdout
                try_folder(target.parent)
        except (OSError, RuntimeError) as error:
            raise cannot_be_written(place, error) from error


def check_output_folder(place: Path) -> None:
    """Check that files can be written below a folder, present or not; nothing is changed.

    Raises:
        OutputError: there is a file in its place, or it cannot be made or written to.
    """
    try:
        try_folder(place.resolve())
    except (OSError, RuntimeError) as error:
        raise cannot_be_written(place, error) from error


def try_folder(folder: Path) -> None:
    """Make an unnamed file in a folder, or in the nearest one above it that exists."""
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a file")
    tempfile.TemporaryFile(dir=folder).close()


def cannot_be_written(place: Path, error: Exception) -> OutputError:
    """Return the error that names a place and why it cannot be written."""
    return OutputError(f"{place} cannot be written: {getattr(error, 'strerror', None) or error}")


def write_whole(place: Path, text: str) -> None:
    """Replace a file's text so that a process that is killed leaves the old or the new."""
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
