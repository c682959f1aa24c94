"""Captions files of an image folder, as `datasets` reads them: metadata.jsonl or metadata.csv."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

# The first that exists is read.
NAMES = ("metadata.jsonl", "metadata.csv")
# The first that is not empty is read; `text` is the name that `datasets` uses.
COLUMNS = ("caption", "captions", "text")


class CaptionRow(NamedTuple):
    """The name of an image file, and its caption, which may be empty."""

    name: str
    caption: str


def by_composed_form(names: Iterable[str]) -> dict[str, str]:
    """Index names by their composed form (Unicode NFC); macOS decomposes accents in file names."""
    return {unicodedata.normalize("NFC", name): name for name in names}


def read_rows(text: str, name: str) -> list[CaptionRow]:
    """Read a captions file.

    Each row has ``file_name`` and one of ``caption``, ``captions`` (the first of them is used) and
    ``text``.

    Args:
        text: content of the file; a byte order mark is ignored.
        name: of the file; its ending gives the format.

    Raises:
        ValueError: a row that cannot be read, has no ``file_name`` or more fields than columns, or
            whose caption is not text.
    """
    parse = _parse_lines if name.endswith(".jsonl") else _parse_table
    try:
        plain = text.removeprefix("\ufeff")
        return [_row(fields, number) for number, fields in enumerate(parse(plain), 1)]
    except (csv.Error, RecursionError) as error:
        raise ValueError(str(error)) from error


def _parse_lines(text: str) -> Iterator[Any]:
    # Not `splitlines`, which cuts at U+2028 and NEL inside a caption as well.
    return (json.loads(line) for line in re.split(r"\r\n|\r|\n", text) if line.strip())


def _parse_table(text: str) -> Iterator[Any]:
    return csv.DictReader(io.StringIO(text, newline=""))


def _row(fields: Any, number: int) -> CaptionRow:
    name = fields.get("file_name") if isinstance(fields, Mapping) else None
    if not isinstance(name, str) or not name:
        raise ValueError(f"row {number} has no file_name")
    if None in fields:  # csv puts surplus fields there
        raise ValueError(f"row {number} has more fields than columns: quote a text with commas")
    given = next((fields[column] for column in COLUMNS if fields.get(column)), "")
    try:
        return CaptionRow(name, _first_caption(given))
    except ValueError as error:
        raise ValueError(f"row {number}: {error}") from error


def _first_caption(given: Any) -> str:
    """Return the first caption of a field: a text, a number, or a list (in CSV as JSON)."""
    if isinstance(given, str) and given.startswith(('["', "['")):
        try:
            given = json.loads(given)
        except ValueError:
            raise ValueError("the captions are a list that cannot be read: write JSON") from None
    first = given[0] if isinstance(given, list) and given else given
    if isinstance(first, bool) or not isinstance(first, str | int | float):
        raise ValueError("the caption is not text")  # noqa: TRY004
    return str(first)
