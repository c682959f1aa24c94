"""Captions files of an image folder, as `datasets` reads them: metadata.jsonl or metadata.csv."""

import csv
import io
import json
import re
import tokenize
import unicodedata
from ast import literal_eval
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

# The first that exists is read.
NAMES = ("metadata.jsonl", "metadata.csv")
FILE_NAME = "file_name"
# The first that is not empty is read; `text` is the name that `datasets` uses.
COLUMNS = ("caption", "captions", "text")
NO_NAME = "no row with a file_name"
TOO_MANY = "more fields than columns: quote a text with commas"
# A text that no file contains: a file is valid Unicode.
_END = "\ud800"


class CaptionRow(NamedTuple):
    """The name of an image file, and its caption, which may be empty."""

    name: str
    caption: str


def by_composed_form(names: Iterable[str]) -> dict[str, str]:
    """Index names by their composed form (Unicode NFC); macOS decomposes accents in file names."""
    return {unicodedata.normalize("NFC", name): name for name in names}


def read_rows(text: str, name: str) -> list[CaptionRow]:
    """Read a captions file of which every row must be right.

    Each row has ``file_name`` and one of ``caption``, ``captions`` (the first of them is used) and
    ``text``.

    Args:
        text: content of the file; a byte order mark is ignored.
        name: of the file; its ending gives the format.

    Raises:
        ValueError: a row that cannot be read, has no ``file_name`` or more fields than columns, or
            whose caption is not text.
    """
    rows = parse_rows(text.removeprefix("\ufeff"), name)
    return [_caption_row(fields, number) for number, (_, fields) in enumerate(rows, 1)]


def parse_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Iterate over line numbers with the fields of a row, or with the reason why it is none.

    Raises:
        ValueError: a CSV file without a column file_name, with an open quote, or no CSV at all.
    """
    try:
        yield from _csv_rows(text) if name.endswith(".csv") else _json_rows(text)
    except csv.Error as error:
        raise ValueError(f"not CSV ({error})") from error


def given_captions(fields: dict[str, Any], columns: Sequence[str] = COLUMNS) -> Any:
    """Return the captions of a row, not yet checked; empty if there are none.

    A text may be a list in the notation of JSON, Python or numpy.

    Raises:
        ValueError: a text begins as a list of texts but cannot be parsed.
    """
    given: Any = next((fields[column] for column in columns if fields.get(column)), [])
    return _parse_list(given) if isinstance(given, str) and given.startswith("[") else given


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    # The last row is reached only if every quote before it is closed.
    reader = csv.DictReader(io.StringIO(f"{text}\n{_END}", newline=""))
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    if FILE_NAME not in reader.fieldnames:
        columns = ", ".join(reader.fieldnames).replace(_END, "") or "none"
        raise ValueError(f"no column {FILE_NAME} (the columns are {columns})")
    begin, end = 0, reader.line_num
    for row in reader:
        if _END in row.values():
            return
        begin, end = end + 1, reader.line_num
        # Surplus fields are under the key None.
        yield end, row if None not in row else TOO_MANY
    raise ValueError(f"a quote is opened in line {begin} and never closed")


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    # Not `splitlines`, which cuts at U+2028 and NEL inside a caption as well.
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                yield number, "not JSON"
            else:
                yield number, row if isinstance(row, dict) else NO_NAME


def _parse_list(text: str) -> list[Any] | str:
    """Parse a list in the notation of JSON, Python or numpy; other texts are unchanged."""
    with suppress(ValueError, RecursionError):
        return list(json.loads(text))
    if not (text.startswith(("['", '["')) and text.rstrip().endswith("]")):
        return text
    with suppress(tokenize.TokenError, SyntaxError, ValueError):
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        inside = [t for t in tokens if t.string.strip() and t.string not in ("[", "]", ",")]
        if all(token.type == tokenize.STRING for token in inside):
            # One by one: numpy writes no commas, and Python would concatenate the strings.
            return [literal_eval(token.string) for token in inside]
    raise ValueError("a list that cannot be read")


def _caption_row(fields: dict[str, Any] | str, number: int) -> CaptionRow:
    if isinstance(fields, str):
        raise ValueError(f"row {number}: {fields}")  # noqa: TRY004
    name = fields.get(FILE_NAME)
    if not isinstance(name, str) or not name:
        raise ValueError(f"row {number} has no file_name")
    try:
        given = given_captions(fields)
    except ValueError as error:
        raise ValueError(f"row {number}: the captions are {error}: write JSON") from error
    first = next(iter(given), "") if isinstance(given, list) else given
    if isinstance(first, bool) or not isinstance(first, str | int | float):
        raise ValueError(f"row {number}: the caption is not text")  # noqa: TRY004
    return CaptionRow(name, str(first))
