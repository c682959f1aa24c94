"""Captions files as `datasets` lays out an imagefolder: metadata.jsonl or metadata.csv."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# Of the two, the first counts.
NAMES = ("metadata.jsonl", "metadata.csv")


class Row(NamedTuple):
    """A picture's name and its caption; the caption may be empty, and is checked later."""

    name: str
    caption: str


def read_rows(text: str, name: str) -> list[Row]:
    """Read a captions file.

    Each row has ``file_name`` and ``caption``, or ``captions``, of which the first counts.

    Args:
        text: what is in the file.
        name: of the file, which says how it is written.

    Raises:
        ValueError: a row that cannot be read or has no ``file_name``.
    """
    parse = _parse_lines if name.endswith(".jsonl") else _parse_table
    try:
        return [_row(fields, number) for number, fields in enumerate(parse(text), 1)]
    except (csv.Error, RecursionError) as error:
        raise ValueError(str(error)) from error


def _parse_lines(text: str) -> Iterator[Any]:
    return (json.loads(line) for line in text.splitlines() if line.strip())


def _parse_table(text: str) -> Iterator[Any]:
    return csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))


def _row(fields: Any, number: int) -> Row:
    name = fields.get("file_name") if isinstance(fields, Mapping) else None
    if not isinstance(name, str) or not name:
        raise ValueError(f"row {number} has no file_name")
    captions = fields.get("caption") or fields.get("captions") or ""
    return Row(name, str(captions[0] if isinstance(captions, list) else captions))
