"""A folder, a tar (also gz, bz2, xz) or a zip, read in place and in one streaming pass."""

import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO

from training.common.errors import ArchiveError, PictureError, SourceError

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError)
# How zip, gzip, bzip2 and xz files begin; a tar says what it is at 257.
BEGINNINGS = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
# Folders of previews, deleted files and what a Mac adds to archives; hidden ones besides.
LITTER = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found"})


@dataclass(frozen=True)
class Member:
    """One file: its path with forward slashes, and its bytes on demand.

    In an archive, `read` works only until the next member is taken. It raises `PictureError` where
    this file alone is damaged, `SourceError` where nothing after it can be read either.
    """

    path: str
    read: Callable[[], bytes]


def walk(
    place: Path, *, into_archives: bool = True, without: Container[str] = ()
) -> Iterator[Member]:
    """Every file of a folder (sorted) or of an archive (in its own order).

    Links to folders are followed; hidden files and folders are left alone.

    Args:
        place: a folder or an archive.
        into_archives: also give the files inside the archives that lie in a folder, which is
            how Flickr8k and MS-COCO are published; their paths start with the archive's.
        without: paths of archives in the folder to leave alone.

    Raises:
        SourceError: nothing there, no archive, a folder that cannot be read, or (`ArchiveError`)
            the archive is damaged.
    """
    for name, members in parts(place, into_archives=into_archives):
        if name not in without:
            yield from members


def parts(place: Path, *, into_archives: bool) -> Iterator[tuple[str, Iterator[Member]]]:
    """What `walk` goes through: each file of a folder, each archive with its members."""
    if place.is_dir():
        for name, path in _files(place, "", ()):
            if into_archives and name.lower().endswith(ARCHIVE_SUFFIXES):
                yield name, _below(name, _walk_archive(path))
            else:
                yield name, iter([Member(name, partial(_read_file, path))])
    elif place.is_file():
        yield "", _walk_archive(place)
    else:
        raise SourceError(f"{place}: no such file or folder")


def _below(name: str, members: Iterator[Member]) -> Iterator[Member]:
    return (Member(f"{name}/{member.path}", member.read) for member in members)


def _files(folder: Path, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Names (below the source) and paths of files; a link to a folder above is not followed."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read ({error.strerror})") from error
    for entry in entries:
        name = prefix + entry.name
        if _is_litter(entry.name):
            continue
        if entry.is_dir():
            yield from _files(Path(entry.path), f"{name}/", (*above, real))
        elif entry.is_file():
            yield name, Path(entry.path)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"cannot be read ({error.strerror})") from error


def _walk_archive(path: Path) -> Iterator[Member]:
    members = _zip_members if zipfile.is_zipfile(path) else _tar_members
    with _damage_named(path):
        for member in members(path):
            if not any(map(_is_litter, PurePosixPath(member.path).parts)):
                yield member


class _Header(tarfile.TarInfo):
    """A member's header, which refuses an archive that is cut off exactly between two files.

    `tarfile` takes the end of the file there for the archive's end, whose mark is a block of zeros.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:
        """Read the next header."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EmptyHeaderError as error:
            raise tarfile.ReadError(
                "it ends without the mark of its end; if it is whole, unpack it into a folder"
            ) from error


def _tar_members(path: Path) -> Iterator[Member]:
    with tarfile.open(path, "r|*", tarinfo=_Header) as archive:
        for info in archive:
            name = PurePosixPath(info.name).as_posix()
            if info.islnk() or info.issym():
                yield Member(name, _refuse_link)
            elif (file := archive.extractfile(info) if info.isfile() else None) is not None:
                yield Member(name, partial(_read_from_tar, path, file))


def _refuse_link() -> bytes:
    raise PictureError("a link inside an archive, whose file is behind by now")


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
        hint = ": it looks incomplete, download it again" if _begins_as_archive(path) else ""
        raise ArchiveError(path, f"not a whole tar or zip archive{hint} ({error})") from error


def _begins_as_archive(path: Path) -> bool:
    """Whether the rest of an archive is missing, rather than it being something else; or all."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return False
    return not head or head.startswith(BEGINNINGS) or head[TAR_MAGIC_AT:].startswith(TAR_MAGIC)


def _is_litter(name: str) -> bool:
    """Whether a file or folder is hidden (`.git`, `._twin.jpg`) or made by a system for itself."""
    return name in LITTER or (name.startswith(".") and name != "..")
