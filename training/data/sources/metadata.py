"""Reader of `metadata.jsonl` and `metadata.csv`: rows with line numbers; bad rows give reasons.

`captionfill.captions_file` reads the same format for requests, where a bad row is an error. Here
the other rows are used, captions may be lists as Python or numpy writes them, and an unclosed
quote is found.
"""

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
# The first column that is not empty is used; `text` is the name that `datasets` uses.
CAPTIONS = ("captions", "caption", "text")

# A sentinel that no text contains: texts are valid Unicode.
END = "\ud800"
TOO_MANY = "more fields than columns: quote a text with commas"


def read_rows(path: PurePosixPath, text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Iterate over line numbers with rows, or with the reason why a line is not a row.

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
    """Return the captions of a row, not yet checked; a CSV cell may contain a list.

    Raises:
        PictureError: a cell begins as a list but cannot be parsed.
    """
    given: Any = next((row[name] for name in CAPTIONS if row.get(name)), [])
    return _parse_list(given) if isinstance(given, str) and given.startswith("[") else given


def _csv_rows(path: PurePosixPath, text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    # The sentinel row is reached only if every quote before it is closed.
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
        # Surplus fields are under the key None.
        yield end, row if None not in row else TOO_MANY
    raise SourceError(f"{path}, line {begin}: a quote is opened there and never closed")


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    # Split at LF only: captions may contain other line separators (NEL, U+2028).
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield number, "not JSON"
        else:
            yield number, row if isinstance(row, dict) else "no row with a file_name"


def _parse_list(text: str) -> list[Any] | str:
    """Parse a list in the notation of JSON, Python or numpy; other texts are unchanged."""
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
            # One by one: numpy writes no commas, and Python would concatenate the strings.
            return [literal_eval(token.string) for token in inside]
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    raise PictureError(f"{NOT_TEXT} (a list that cannot be read)")
