"""A folder, a tar (also gz, bz2, xz) or a zip, read in place and in one streaming pass."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO

from training.errors import PictureError, SourceError

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError)


@dataclass(frozen=True)
class Member:
    """One file: its path with forward slashes, and its bytes on demand.

    In an archive, `read` works only until the next member is taken. It raises `PictureError` where
    this file alone is damaged, `SourceError` where nothing after it can be read either.
    """

    path: str
    read: Callable[[], bytes]


def walk(place: Path, *, into_archives: bool = True) -> Iterator[Member]:
    """Every file of a folder (sorted) or of an archive (in its own order).

    Args:
        place: a folder or an archive.
        into_archives: also give the files inside the archives that lie in a folder, which is
            how Flickr8k and MS-COCO are published; their paths start with the archive's.

    Raises:
        SourceError: nothing there, no archive, or the archive is damaged.
    """
    if place.is_dir():
        yield from _walk_folder(place, into_archives)
    elif place.is_file():
        yield from _walk_archive(place)
    else:
        raise SourceError(f"{place}: no such file or folder")


def read_texts(
    place: Path, wanted: Callable[[str], bool], *, into_archives: bool = True
) -> dict[str, str]:
    """The small text files whose file name is `wanted`, by path.

    A pass of its own: an archive may well hold its lists behind its pictures.
    """
    return {
        member.path: _decode(member)
        for member in walk(place, into_archives=into_archives)
        if wanted(PurePosixPath(member.path).name)
    }


def _decode(member: Member) -> str:
    try:
        return member.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{member.path}: not UTF-8 text") from error
    except PictureError as error:
        raise SourceError(f"{member.path}: {error}") from error


def _walk_folder(folder: Path, into_archives: bool) -> Iterator[Member]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if _is_litter(name) or not path.is_file():
            continue
        if into_archives and name.lower().endswith(ARCHIVE_SUFFIXES):
            for member in _walk_archive(path):
                yield Member(f"{name}/{member.path}", member.read)
        else:
            yield Member(name, partial(_read_file, path))


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"cannot be read ({error.strerror})") from error


def _walk_archive(path: Path) -> Iterator[Member]:
    members = _zip_members if zipfile.is_zipfile(path) else _tar_members
    with _damage_named(path):
        for member in members(path):
            if not _is_litter(member.path):
                yield member


def _tar_members(path: Path) -> Iterator[Member]:
    with tarfile.open(path, "r|*") as archive:
        for info in archive:
            file = archive.extractfile(info) if info.isfile() else None
            if file is not None:
                yield Member(
                    PurePosixPath(info.name).as_posix(), partial(_read_from_tar, path, file)
                )


def _read_from_tar(path: Path, file: IO[bytes]) -> bytes:
    with _damage_named(path):
        return file.read()


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                name = PurePosixPath(info.filename).as_posix()
                yield Member(name, partial(_read_from_zip, archive, info))


def _read_from_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except (*DAMAGE, NotImplementedError, RuntimeError) as error:  # the last: it has a password
        raise PictureError(f"cannot be unpacked ({error})") from error


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise SourceError(f"{path}: not a whole tar or zip archive ({error})") from error


def _is_litter(path: str) -> bool:
    """What a Mac leaves in archives: `__MACOSX/` and `._name` twins of every picture."""
    return "__MACOSX" in path or PurePosixPath(path).name.startswith(".")
