"""Checks before any work that filled pictures can be written, and that they replace no input."""

import errno
import os
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from captionfill.errors import StartError


def check_output(place: Path, *, folder: bool = False) -> None:
    """Check that a file, or files in a folder, can be written; nothing is created or changed.

    Args:
        place: present (it will be replaced) or not.
        folder: whether it is to be a folder.

    Raises:
        StartError: something else is in its place, or no file can be made there.
    """
    try:
        target = place.resolve()
        if not folder and target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not folder and target.is_file():
            target.open("r+b").close()
        elif folder or not place.exists():  # a pipe behind /dev/stdout resolves to no path
            _try_folder(target if folder else target.parent)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise StartError(f"{place} cannot be written: {why}") from error


def _try_folder(folder: Path) -> None:
    """Make an unnamed file in a folder, or in the nearest one above it that exists."""
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a file")
    tempfile.TemporaryFile(dir=folder).close()


def check_no_input(photo: Path, output: Path) -> None:
    """Refuse to write over the picture itself, under whatever name or link.

    Raises:
        StartError: the output is the input.
    """
    if output.exists() and photo.exists() and output.samefile(photo):
        raise StartError(f"{output} is the picture itself: choose another name for the filled one")


def output_places(folder: Path, photos: Sequence[Path], output: Path) -> list[Path]:
    """Return where the filled pictures of a folder go: `a.png` for `a.jpg`.

    Pictures that would get one name (`a.jpg` and `a.webp`) keep their own endings: `a.jpg.png`.
    Names that differ in case alone count as one, since some file systems take them for one.

    Args:
        folder: of the pictures.
        photos: below it.
        output: folder for the filled ones.

    Raises:
        StartError: the output is the folder or in it, a picture is named twice, or two filled
            pictures would still get one name, or one the name of an input.
    """
    if output.resolve().is_relative_to(folder.resolve()):
        raise StartError(f"{output} is the folder of the pictures or in it: choose another with -o")
    for photo, times in Counter(photos).items():
        if times > 1:
            raise StartError(f"{photo} is named {times} times by the captions file: once is needed")
    names = [photo.relative_to(folder) for photo in photos]
    short = [name.with_suffix(".png") for name in names]
    shared = Counter(map(_plain, short))
    places = [
        output / (brief if shared[_plain(brief)] == 1 else name.with_name(f"{name.name}.png"))
        for name, brief in zip(names, short, strict=True)
    ]
    for plain, times in Counter(map(_plain, places)).items():
        if times > 1:
            raise StartError(
                f"{times} filled pictures would be called {plain}: rename the pictures"
            )
    inputs = {photo.resolve() for photo in photos}
    for place in places:
        if place.resolve() in inputs:
            raise StartError(f"{place} is one of the pictures: choose another folder with -o")
    return places


def _plain(path: Path) -> str:
    return str(path).casefold()


def write_whole(place: Path, content: bytes) -> None:
    """Write a file so that a process that is killed leaves the old content or the new.

    A temporary file beside it takes its place by one rename. What cannot be replaced by a rename
    (a pipe, a mounted file, a file in a folder that cannot be written) is written in place.

    Args:
        place: present or not; its folder is made where it is missing.
        content: of the file.

    Raises:
        OSError: it cannot be written; an older file in its place is as before.
    """
    target = place.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    replaceable = not place.exists() or target.is_file()
    if not (replaceable and _replaced(target, content)):
        place.write_bytes(content)


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
