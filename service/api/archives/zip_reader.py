"""Reads an untrusted zip of pictures and captions; nothing is extracted to disk.

Names are never used as paths. Declared sizes are checked before anything is unpacked, and `zipfile`
returns at most the declared bytes of an entry. It may inflate more, so entries are read in chunks.
"""

import re
import stat
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO

from captionfill.captions_file import NAMES, CaptionRow, by_composed_form, read_rows
from captionfill.errors import CaptionfillError
from service.errors.requests import BatchTooLarge, InvalidArchive, InvalidEntry

# The first bytes of each entry in a zip's directory.
_SIGNATURE = b"PK\x01\x02"
_CHUNK, _ENTRY_CHUNK = 2**20, 2**16
_MAX_CAPTIONS_BYTES = 2**20
# Deflate reaches 1,032; pictures, which are compressed already, about 1, captions about 10.
_MAX_RATIO = 200
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PICTURE = re.compile(r"\.(png|jpe?g|webp)", re.IGNORECASE)


@dataclass(frozen=True)
class ZipLimits:
    """Limits of a batch: number of pictures, and unpacked bytes of one picture and of all."""

    pictures: int
    picture_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class ZipItem:
    """One picture of a batch. ``read`` returns its bytes, or raises `InvalidEntry`."""

    name: str
    caption: str
    read: Callable[[], bytes]


def open_archive(
    file: IO[bytes], captions: Sequence[CaptionRow] | None, limits: ZipLimits
) -> list[ZipItem]:
    """List the pictures of a zip with their captions.

    A picture without caption is listed, too, and reported to the client as invalid. The file must
    stay open while items are read. Without ``captions`` the archive's own captions file is read.

    Raises:
        InvalidArchive: it is not a zip, or has no readable captions.
        BatchTooLarge: it exceeds a limit.
    """
    archive = _open(file, limits)
    entries: dict[str, list[zipfile.ZipInfo]] = defaultdict(list)
    for info in archive.infolist():
        # Not `is_dir`: it fails for a name that begins with NUL.
        if not info.orig_filename.endswith("/"):
            entries[info.orig_filename].append(info)
    root, rows = ("", captions) if captions is not None else _captions(archive, entries)
    named = [CaptionRow(root + row.name, row.caption) for row in rows]
    missing = by_composed_form({row.name for row in named} - entries.keys())
    for form, found in by_composed_form(entries).items():
        if form in missing:
            entries[missing[form]] = entries.pop(found)
    items = [
        ZipItem(
            row.name,
            row.caption,
            partial(_read, archive, entries.get(row.name, ()), limits.picture_bytes),
        )
        for row in named
    ]
    without_caption = sorted(entries.keys() - {row.name for row in named})
    items += [_without_caption(name) for name in without_caption if _is_picture(name)]
    check_count(len(items), limits)
    # A second row for the same picture counts again: it becomes a job of its own.
    total = sum(info.file_size for row in named for info in entries.get(row.name, ()))
    if total > limits.total_bytes:
        raise BatchTooLarge(f"{total:,} bytes unpacked; at most {limits.total_bytes:,} are allowed")
    return items


def check_count(count: int, limits: ZipLimits) -> None:
    """Raise `BatchTooLarge` for too many pictures, `InvalidArchive` for none."""
    if not count:
        raise InvalidArchive("there are no pictures in it")
    if count > limits.pictures:
        raise BatchTooLarge(f"{count:,} pictures; at most {limits.pictures:,} are allowed")


def check_size(size: int, limits: ZipLimits) -> None:
    """Raise `InvalidEntry` for a picture of too many bytes."""
    if size > limits.picture_bytes:
        raise InvalidEntry(f"{size:,} bytes; at most {limits.picture_bytes:,} are allowed")


def _open(file: IO[bytes], limits: ZipLimits) -> zipfile.ZipFile:
    # zipfile creates an object for each entry, whatever number the archive declares.
    most = 2 * limits.pictures + 64
    if _count_signatures(file, most) > most:
        raise BatchTooLarge(f"at most {limits.pictures:,} pictures are allowed")
    try:
        return zipfile.ZipFile(file)
    except Exception as error:  # zipfile may raise anything on invalid bytes
        raise InvalidArchive("the archive is not a zip, or is truncated") from error


def _count_signatures(file: IO[bytes], most: int) -> int:
    found, rest = 0, b""
    file.seek(0)
    while found <= most and (chunk := file.read(_CHUNK)):
        found += (rest + chunk).count(_SIGNATURE)
        rest = chunk[-len(_SIGNATURE) + 1 :]
    return found


def _captions(
    archive: zipfile.ZipFile, entries: Mapping[str, Sequence[zipfile.ZipInfo]]
) -> tuple[str, list[CaptionRow]]:
    """The rows of the captions file nearest the root, and its folder."""
    places = sorted(
        (name.count("/"), NAMES.index(base), name)
        for name in entries
        if (base := name.rpartition("/")[2]) in NAMES and not _is_hidden(name)
    )
    if not places:
        raise InvalidArchive(
            f"the archive has neither {' nor '.join(NAMES)}, nor is 'captions' set"
        )
    name = places[0][2]
    try:
        text = _read(archive, entries[name], _MAX_CAPTIONS_BYTES).decode()
        return name[: name.rfind("/") + 1], read_rows(text, name)
    except (CaptionfillError, ValueError) as error:
        raise InvalidArchive(f"{name} cannot be read: {error}") from error


def _without_caption(name: str) -> ZipItem:
    def read() -> bytes:
        raise InvalidEntry("the picture has no caption")

    return ZipItem(name, "", read)


def _read(archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo], limit: int) -> bytes:
    """Unpack the only entry of a name."""
    if len(infos) != 1:
        raise InvalidEntry(
            "the archive has two of that name" if infos else "the archive has none of that name"
        )
    [info] = infos
    _check_entry(info, limit)
    try:
        with archive.open(info) as entry:
            return b"".join(iter(partial(entry.read, _ENTRY_CHUNK), b""))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise InvalidEntry("it cannot be unpacked") from error


def _check_entry(info: zipfile.ZipInfo, limit: int) -> None:
    check_name(info.orig_filename)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise InvalidEntry("it is a link")
    if info.flag_bits & 0x1:
        raise InvalidEntry("it is encrypted")
    if info.compress_type not in _COMPRESSIONS:
        raise InvalidEntry("it is neither stored nor deflated")
    if info.file_size > limit:
        raise InvalidEntry(f"{info.file_size:,} bytes; at most {limit:,} are allowed")
    if info.file_size > _CHUNK and info.file_size > _MAX_RATIO * info.compress_size:
        raise InvalidEntry("its compression ratio is too high for a picture")


def check_name(name: str) -> None:
    """Raise `InvalidEntry` for a name that is not a printable relative path."""
    if not 0 < len(name) <= 255 or not name.isprintable():
        raise InvalidEntry("its name is longer than 255 characters, or has unprintable ones")
    if "\\" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise InvalidEntry("its name is an absolute path")
    if ".." in name.split("/"):
        raise InvalidEntry("its name leads out of the archive")


def _is_picture(name: str) -> bool:
    return bool(_PICTURE.search(name[-5:])) and not _is_hidden(name)


def _is_hidden(name: str) -> bool:
    """Whether it is hidden, or metadata of macOS."""
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
