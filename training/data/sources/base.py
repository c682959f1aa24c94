"""What every source gives: examples with their bytes still unread, and what it had to pass over."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"}
)
MISSING = "listed, but no such picture"
NOT_TEXT = "a caption is not text"
KINDS = {type(None): "null", bool: "true or false", dict: "an object"}


@dataclass(frozen=True)
class Example:
    """One captioned picture.

    `read` gives the bytes of the picture file and must be called before the next example is
    taken: a packed source is read in one streaming pass.
    """

    split: str
    file_name: str
    captions: tuple[str, ...]
    read: Callable[[], bytes]
    label: str = ""


@dataclass(frozen=True)
class SkippedItems:
    """A picture, or a row of a list, that is not used, and why.

    The reason is one of few fixed texts, so that they can be counted; what is particular to this
    file stands behind it in brackets.
    """

    file_name: str
    reason: str


Reading = Iterator[Example | SkippedItems]
Source = Callable[[Path], Reading]


def is_picture(path: str) -> bool:
    """Whether the name of a file says that it is a picture (its content is checked later)."""
    return PurePosixPath(path).suffix.lower() in PICTURE_SUFFIXES


def clean_caption(text: str) -> str:
    """Printable characters only, single spaces, nothing at the ends."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def lines_of(text: str) -> list[str]:
    """The lines of a text, which end at LF or CR LF alone.

    `str.splitlines` also ends them at characters that captions may hold (NEL, U+2028, form feed).
    """
    return [line.removesuffix("\r") for line in text.split("\n")]


def caption_texts(given: object) -> tuple[list[str], list[str]]:
    """The captions in a value of JSON: a text, a number, or a list of these.

    Returns:
        The texts, and for each other value the reason why it is none.
    """
    texts: list[str] = []
    reasons: list[str] = []
    left = [given]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += reversed(one)
        elif isinstance(one, str) or _is_number(one):
            texts.append(str(one))
        else:
            reasons.append(f"{NOT_TEXT} ({KINDS.get(type(one), 'no number')})")
    return texts, reasons


def _is_number(value: object) -> bool:
    """Whether it is a number that a text file would have as such: no NaN, no true."""
    return type(value) is int or (type(value) is float and math.isfinite(value))
