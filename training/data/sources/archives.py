"""Files of a folder, a tar (also gz, bz2, xz) or a zip, read in one streaming pass."""

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
from tarfile import EmptyHeaderError, ReadError, TarFile  # type: ignore[attr-defined]  # typeshed
from typing import IO, Self

from training.common.errors import ArchiveError, PictureError, SourceError

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
READ_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError)
# First bytes of zip, gzip, bzip2 and xz files; a tar has its magic bytes at offset 257.
MAGIC_BYTES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
# System folders (previews, deleted files, macOS metadata); hidden files are ignored too.
IGNORED_NAMES = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found"})


@dataclass(frozen=True)
class SourceFile:
    """A file of a source; the path is relative to it, with forward slashes.

    In an archive `read` must be called before the next file is taken. It raises `PictureError` if
    only this file is damaged, `ArchiveError` if the rest of the archive cannot be read either.
    """

    path: str
    read: Callable[[], bytes]


def iter_files(
    place: Path, *, into_archives: bool = True, without: Container[str] = ()
) -> Iterator[SourceFile]:
    """Iterate over the files of a folder (sorted) or of an archive (in its own order).

    Links to folders are followed; hidden files and folders are ignored.

    Args:
        place: a folder or an archive.
        into_archives: also iterate over archives inside a folder (Flickr8k and MS-COCO are
            published so); the paths of their files start with the archive's path.
        without: paths of archives in the folder that are skipped.

    Raises:
        SourceError: nothing there, no archive, a folder that cannot be read, or (`ArchiveError`)
            the archive is damaged.
    """
    for name, members in iter_parts(place, into_archives=into_archives):
        if name not in without:
            yield from members


def iter_parts(place: Path, *, into_archives: bool) -> Iterator[tuple[str, Iterator[SourceFile]]]:
    """Iterate over (path, files): one item for each file or archive of a folder."""
    if place.is_dir():
        for name, path in _files(place, "", ()):
            if into_archives and name.lower().endswith(ARCHIVE_SUFFIXES):
                members = _walk_archive(path)
                yield name, (SourceFile(f"{name}/{m.path}", m.read) for m in members)
            else:
                yield name, iter([SourceFile(name, partial(_read_file, path))])
    elif place.is_file():
        yield "", _walk_archive(place)
    else:
        raise SourceError(f"{place}: no such file or folder")


def _files(folder: Path, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Iterate over relative names and paths; links to a parent folder are not followed."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read ({error.strerror})") from error
    for entry in entries:
        name = prefix + entry.name
        if _is_ignored(entry.name):
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


def _walk_archive(path: Path) -> Iterator[SourceFile]:
    members = _zip_members if zipfile.is_zipfile(path) else _tar_members
    with _archive_errors(path):
        for member in members(path):
            if not any(map(_is_ignored, PurePosixPath(member.path).parts)):
                yield member


class _Header(tarfile.TarInfo):
    """Tar header that detects an archive truncated exactly between two files.

    `tarfile` accepts that, although the block of zeros at the end of every archive is missing.
    """

    @classmethod
    def fromtarfile(cls, tarfile: TarFile) -> Self:
        """Read the next header."""
        try:
            return super().fromtarfile(tarfile)
        except EmptyHeaderError as error:
            raise ReadError(
                "it ends without the mark of its end; if it is whole, unpack it into a folder"
            ) from error


def _tar_members(path: Path) -> Iterator[SourceFile]:
    with tarfile.open(path, "r|*", tarinfo=_Header) as archive:
        for info in archive:
            name = PurePosixPath(info.name).as_posix()
            if info.islnk() or info.issym():
                yield SourceFile(name, _refuse_link)
            elif (file := archive.extractfile(info) if info.isfile() else None) is not None:
                yield SourceFile(name, partial(_read_from_tar, path, file))


def _refuse_link() -> bytes:
    raise PictureError("a link inside an archive, which is read only once")


def _read_from_tar(path: Path, file: IO[bytes]) -> bytes:
    with _archive_errors(path):
        return file.read()


def _zip_members(path: Path) -> Iterator[SourceFile]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                name = PurePosixPath(info.filename).as_posix()
                yield SourceFile(name, partial(_read_from_zip, archive, info))


def _read_from_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except (*READ_ERRORS, RuntimeError) as error:  # encrypted, or packed in an unknown way
        raise PictureError(f"cannot be unpacked ({error})") from error


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except NotImplementedError as error:
        raise ArchiveError(path, f"a kind of zip that cannot be read ({error})") from error
    except READ_ERRORS as error:
        hint = ": it looks incomplete, download it again" if _looks_truncated(path) else ""
        raise ArchiveError(path, f"not a whole tar or zip archive{hint} ({error})") from error


def _looks_truncated(path: Path) -> bool:
    """Whether a file begins as an archive does, or is empty: then it is incomplete."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return False
    return not head or head.startswith(MAGIC_BYTES) or head[TAR_MAGIC_AT:].startswith(TAR_MAGIC)


def _is_ignored(name: str) -> bool:
    """Whether a name is hidden (`.git`, `._twin.jpg`) or that of a system folder."""
    return name in IGNORED_NAMES or (name.startswith(".") and name != "..")
