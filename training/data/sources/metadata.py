"""Rows of `metadata.jsonl` or `metadata.csv` by their lines, and what is wrong with others."""

import csv
import io
import json
import tokenize
from ast import literal_eval
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from training.common.errors import PictureError, SourceError
from training.data.sources.base import NOT_TEXT

NAME = "file_name"
# Of these columns the first that has something counts; the last is what `datasets` calls it.
CAPTIONS = ("captions", "caption", "text")

# No text has it: what is not Unicode is refused before.
END = "\ud800"
TOO_MANY = "more fields than columns: quote a text with commas"


def read_rows(path: PurePosixPath, text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Give the number of each line with its row, or with the reason why it is none.

    Raises:
        SourceError: a CSV file without a column file_name, or no CSV at all.
    """
    if path.suffix != ".csv":
        yield from _json_rows(text)
        return
    try:
        yield from _csv_rows(path, text)
    except csv.Error as error:
        raise SourceError(f"{path}: not CSV ({error})") from error


def captions_field(row: dict[str, Any]) -> Any:
    """The captions of a row as they stand there; in a cell of CSV they may be a list.

    Raises:
        PictureError: a cell that begins as a list and cannot be read as one.
    """
    given = next((row[name] for name in CAPTIONS if row.get(name)), [])
    return _listed(given) if isinstance(given, str) and given.startswith("[") else given


def _csv_rows(path: PurePosixPath, text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    # A last row of our own is met only where no quote before it is left open.
    reader = csv.DictReader(io.StringIO(f"{text}\n{END}", newline=""))
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    if NAME not in reader.fieldnames:
        has = ", ".join(reader.fieldnames).replace(END, "") or "none"
        raise SourceError(f"{path}: no column {NAME} (the columns are {has})")
    begin, end = 0, reader.line_num
    for row in reader:
        if END in row.values():
            return
        begin, end = end + 1, reader.line_num
        # What is more than the header stands under None.
        yield end, row if None not in row else TOO_MANY
    raise SourceError(f"{path}, line {begin}: a quote is opened there and never closed")


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    # At LF alone: a text may hold what else ends a line (NEL, U+2028).
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield number, "not JSON"
        else:
            yield number, row if isinstance(row, dict) else "no row with a file_name"


def _listed(text: str) -> list[Any] | str:
    """Read a list as JSON, Python or numpy writes it; a text that only begins so stays one."""
    try:
        return list(json.loads(text))
    except (ValueError, RecursionError):
        pass
    if not (text.startswith(("['", '["')) and text.rstrip().endswith("]")):
        return text
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        inside = [t for t in tokens if t.string.strip() and t.string not in ("[", "]", ",")]
        if all(token.type == tokenize.STRING for token in inside):
            # One by one: numpy writes no commas, and Python would glue them together.
            return [literal_eval(token.string) for token in inside]
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    raise PictureError(f"{NOT_TEXT} (a list that cannot be read)")
