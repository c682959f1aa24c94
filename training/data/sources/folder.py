"""Your own pictures: a folder (or archive) with `metadata.jsonl` or `metadata.csv`.

The convention of `datasets`' imagefolder: each row has `file_name`, relative to the metadata file,
and `caption` or `text` (a text) or `captions` (a list of texts); optionally `label` and `split`.
Without a `split` column, the first parent folder named like a split
(`training.data.sources.splits`) determines it; the default is `train`. Captions of several rows of
one picture are combined.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from captionfill.captions_file import FILE_NAME, NAMES, NO_NAME, given_captions, parse_rows
from training.common.errors import SourceError
from training.data.manifest import TRAIN
from training.data.sources.archives import iter_files
from training.data.sources.base import (
    MISSING_FILE,
    NOT_TEXT,
    Example,
    SkippedItem,
    SourceItems,
    caption_texts,
    is_picture,
)
from training.data.sources.contents import match_names, scan_source
from training.data.sources.splits import canonical_split, looks_like_split, split_of_folder

logger = logging.getLogger(__name__)

# The first that is not empty is used. Requests take `caption` first: they need one caption only.
CAPTION_COLUMNS = ("captions", "caption", "text")
SPLIT_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclass
class _Entry:
    """Metadata of one picture."""

    split: str
    label: str
    captions: list[str] = field(default_factory=list)


def read_folder(place: Path) -> SourceItems:
    """Read the pictures that the metadata name; others, and wrong rows, are skipped.

    Raises:
        SourceError: no metadata, or it cannot be read at all.
    """
    contents = scan_source(place, NAMES.__contains__, into_archives=False)
    if not contents.texts:
        raise SourceError(f"{place}: no {' or '.join(NAMES)} there")
    entries: dict[str, _Entry] = {}
    for path, text in contents.texts.items():
        yield from _read_metadata(PurePosixPath(path), text, entries)
    _warn_of_splits(entries)
    listed = match_names(entries, contents.paths)
    for member in iter_files(place, into_archives=False):
        entry = entries.get(listed.get(member.path, ""))
        if entry is not None:
            captions = tuple(entry.captions)
            yield Example(entry.split, member.path, captions, member.read, entry.label)
        elif is_picture(member.path):
            yield SkippedItem(member.path, "not in the metadata")
    found = set(listed.values())
    for name in entries:
        if name not in found:
            yield SkippedItem(name, MISSING_FILE)


def _read_metadata(
    path: PurePosixPath, text: str, entries: dict[str, _Entry]
) -> Iterator[SkippedItem]:
    """Add the rows of a metadata file to `entries`; yield the wrong ones."""
    try:
        for number, row in parse_rows(text, path.name):
            for reason in [row] if isinstance(row, str) else _add_row(path.parent, row, entries):
                yield SkippedItem(f"{path}, line {number}", reason)
    except ValueError as error:
        raise SourceError(f"{path}: {error}") from error


def _add_row(parent: PurePosixPath, row: dict[str, Any], entries: dict[str, _Entry]) -> list[str]:
    """Add a row to the entry of its picture; return why the row or a caption is not used."""
    if not isinstance(row.get(FILE_NAME), str):
        return [NO_NAME]
    path = parent / row[FILE_NAME].replace("\\", "/")
    if ".." in path.parts or path.is_absolute():
        return [f"file_name climbs out of the folder ({row[FILE_NAME]!r})"]
    split = _split(path, row)
    if not SPLIT_NAME.fullmatch(split):
        return [f"split is not a plain name ({split!r})"]
    try:
        texts, reasons = caption_texts(given_captions(row, CAPTION_COLUMNS))
    except ValueError as error:
        return [f"{NOT_TEXT} ({error})"]
    entry = entries.setdefault(str(path), _Entry(split, str(row.get("label") or "")))
    if entry.split != split:
        return [f"another split than the picture's first row ({entry.split!r})"]
    # Without duplicates: both kinds of metadata may have the same rows.
    entry.captions += [text for text in dict.fromkeys(texts) if text not in entry.captions]
    return reasons


def _split(path: PurePosixPath, row: dict[str, Any]) -> str:
    if row.get("split"):
        return canonical_split(str(row["split"]).strip())
    return next(filter(None, map(split_of_folder, path.parent.parts)), TRAIN)


def _warn_of_splits(entries: dict[str, _Entry]) -> None:
    """Warn of folders in `train` whose names resemble a held-out split."""
    folders = {
        parent
        for name, entry in entries.items()
        if entry.split == TRAIN
        for parent in PurePosixPath(name).parents
        if looks_like_split(parent.name)
    }
    for folder in sorted(folders):
        logger.warning(
            "the pictures of %s go into train: call it val, dev or test, or add a column split, "
            "to hold them out",
            folder,
        )
