"""Filling a folder: pictures with a captions file, as `datasets` lays out an imagefolder."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from service.errors import StartError


def read_metadata(folder: Path) -> list[tuple[Path, str]]:
    """Pictures and captions of a folder's `metadata.jsonl` or `metadata.csv`.

    Each row has ``file_name`` and ``caption``, or ``captions``, of which the first counts. The
    caption is empty where the row has none, and is refused when it is filled.

    Raises:
        StartError: no such file, a row that cannot be read, or a name that leads out of the folder.
    """
    return [_entry(folder, row, number) for number, row in enumerate(_rows(folder), 1)]


def _rows(folder: Path) -> Iterator[Mapping[str, Any]]:
    jsonl, table = folder / "metadata.jsonl", folder / "metadata.csv"
    try:
        if jsonl.is_file():
            lines = jsonl.read_text(encoding="utf-8").splitlines()
            yield from (json.loads(line) for line in lines if line.strip())
        elif table.is_file():
            with table.open(encoding="utf-8-sig", newline="") as file:
                yield from csv.DictReader(file)
        else:
            raise StartError(f"{folder} has neither metadata.jsonl nor metadata.csv")
    except (ValueError, csv.Error, OSError) as error:
        raise StartError(f"the captions file of {folder} cannot be read: {error}") from error


def _entry(folder: Path, row: Mapping[str, Any], number: int) -> tuple[Path, str]:
    name = row.get("file_name") if isinstance(row, Mapping) else None
    if not isinstance(name, str) or not name:
        raise StartError(f"row {number} of the captions file has no file_name")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise StartError(f"row {number} of the captions file leads out of the folder")
    captions = row.get("caption") or row.get("captions") or ""
    first = captions[0] if isinstance(captions, list) else captions
    return folder / name, str(first)
