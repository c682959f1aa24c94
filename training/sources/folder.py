"""Your own pictures: a folder (or archive) with `metadata.jsonl` or `metadata.csv`.

The convention of `datasets`' imagefolder: each row has `file_name`, relative to the metadata file,
and `caption` (a text) or `captions` (a list of texts); optionally `label` and `split`. Without a
`split` column, metadata in a folder called train, dev, val or test says the split; else it is
`train`. Several rows for one picture add their captions up.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from training.errors import PictureError, SourceError
from training.sources.base import Example, PassedOver, Reading, is_picture
from training.sources.packed import read_texts, walk

METADATA = ("metadata.jsonl", "metadata.csv")
SPLIT_FOLDERS = ("train", "dev", "val", "validation", "test")
SPLIT_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclass
class _Entry:
    """What the metadata say of one picture."""

    split: str
    label: str
    captions: list[str] = field(default_factory=list)


def read_folder(place: Path) -> Reading:
    """Every picture that the metadata name; others, and wrong rows, are passed over.

    Raises:
        SourceError: no metadata, or it cannot be read at all.
    """
    texts = read_texts(place, METADATA.__contains__, into_archives=False)
    if not texts:
        raise SourceError(f"{place}: no {' or '.join(METADATA)} there")
    entries: dict[str, _Entry] = {}
    for path, text in texts.items():
        yield from _collect(PurePosixPath(path), text, entries)
    seen: set[str] = set()
    for member in walk(place, into_archives=False):
        entry = entries.get(member.path)
        if entry is not None:
            seen.add(member.path)
            captions = tuple(entry.captions)
            yield Example(entry.split, member.path, captions, member.read, entry.label)
        elif is_picture(member.path):
            yield PassedOver(member.path, "not in the metadata")
    for name in entries:
        if name not in seen:
            yield PassedOver(name, "listed, but no such picture")


def _collect(path: PurePosixPath, text: str, entries: dict[str, _Entry]) -> Iterator[PassedOver]:
    """Add the rows of one metadata file to `entries`; give those that are wrong."""
    rows = _csv_rows(text) if path.suffix == ".csv" else _json_rows(text)
    try:
        for number, row in rows:
            try:
                name, entry = _read_row(path.parent, row)
            except PictureError as error:
                yield PassedOver(f"{path}, line {number}", str(error))
            else:
                entries.setdefault(name, entry).captions.extend(_captions(row))
    except csv.Error as error:
        raise SourceError(f"{path}: not CSV ({error})") from error


def _read_row(parent: PurePosixPath, row: Any) -> tuple[str, _Entry]:
    if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
        raise PictureError("no row with a file_name")
    name = PurePosixPath(row["file_name"].replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise PictureError(f"{row['file_name']} climbs out of the folder")
    folder_split = next((part for part in parent.parts if part in SPLIT_FOLDERS), "train")
    split = str(row.get("split") or folder_split)
    if not SPLIT_NAME.fullmatch(split):
        raise PictureError(f"split {split!r} is not a plain name")
    return str(parent / name), _Entry(split, str(row.get("label") or ""))


def _captions(row: dict[str, Any]) -> list[str]:
    """The texts of a row; in a CSV cell, `captions` may be a JSON list."""
    given = row.get("captions") or row.get("caption") or []
    if isinstance(given, str) and given.startswith("["):
        given = _json_or_none(given) or given
    texts = given if isinstance(given, list) else [given]
    return [text for text in texts if isinstance(text, str)]


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    for row in reader:
        yield reader.line_num, row


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, _json_or_none(line)


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
