"""Output files: checks before the work that they can be written, and atomic writes."""

import errno
import os
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


def check_output(*files: Path, error: type[Exception]) -> None:
    """Check that files can be written, over older ones, too. Nothing is created or changed.

    A missing folder counts as creatable if the nearest existing folder is writable.

    Raises:
        error: a path is a folder or lies below a file, or no file can be made there.
    """
    for file in files:
        try:
            target = file.resolve()
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if target.is_file():
                target.open("r+b").close()
            elif not file.exists():  # a pipe behind /dev/stdout exists, but resolves to no path
                _check_folder(target.parent)
        except (OSError, RuntimeError) as reason:
            raise error(describe_failure(file, reason)) from reason


def check_output_folder(folder: Path, *, error: type[Exception]) -> None:
    """Check that files can be written below a folder, whether it exists or not.

    Raises:
        error: a file is in its place, or it cannot be made or written to.
    """
    try:
        _check_folder(folder.resolve())
    except (OSError, RuntimeError) as reason:
        raise error(describe_failure(folder, reason)) from reason


def describe_failure(path: Path, reason: Exception) -> str:
    """Return the message that a path cannot be written, and why."""
    return f"{path} cannot be written: {getattr(reason, 'strerror', None) or reason}"


def _check_folder(folder: Path) -> None:
    """Make an unnamed file in a folder, or in the nearest one above it that exists."""
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a file")
    tempfile.TemporaryFile(dir=folder).close()


def write_atomically(file: Path, content: str | bytes) -> None:
    """Write a file by renaming a temporary file beside it.

    A process that is killed leaves the old content or the new. Where a rename is not possible (a
    pipe, a mounted file, a file in a read-only folder), the file is written in place. A missing
    folder is made. Text is written as UTF-8.

    Raises:
        OSError: it cannot be written. An older file is left unchanged.
    """
    data = content.encode() if isinstance(content, str) else content
    target = file.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    replaceable = not file.exists() or target.is_file()
    if not (replaceable and _replace(target, data)):
        file.write_bytes(data)


def _replace(target: Path, data: bytes) -> bool:
    """Replace a file by a rename. Returns False where that is not possible."""
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
        return _rename(draft, target)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _rename(draft: Path, target: Path) -> bool:
    try:
        draft.replace(target)
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EPERM, errno.EACCES):  # mounted, or another user's
            return False
        raise
    return True
