"""Common types of all sources: examples (not yet read) and skipped items; texts of captions."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"}
)
MISSING_FILE = "listed, but no such picture"
NOT_TEXT = "a caption is not text"
KINDS = {type(None): "null", bool: "true or false", dict: "an object"}


@dataclass(frozen=True)
class Example:
    """One captioned picture. `file_name` is unique in the source; captions are not cleaned.

    `read` returns the picture file. It must be called before the next example is taken, since
    archives are read in one streaming pass.
    """

    split: str
    file_name: str
    captions: tuple[str, ...]
    read: Callable[[], bytes]
    label: str = ""


@dataclass(frozen=True)
class SkippedItem:
    """A picture, or a row of a list (file and line), that is skipped.

    The reason is one of few fixed texts, so that reasons can be counted; details are in brackets.
    """

    file_name: str
    reason: str


SourceItems = Iterator[Example | SkippedItem]
Source = Callable[[Path], SourceItems]


def is_picture(path: str) -> bool:
    """Whether a file name has the suffix of a picture format."""
    return PurePosixPath(path).suffix.lower() in PICTURE_SUFFIXES


def clean_caption(text: str) -> str:
    """Remove unprintable characters, repeated spaces and outer spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def split_lines(text: str) -> list[str]:
    """Split a text into lines at LF or CR LF only.

    `str.splitlines` also splits at characters inside captions (NEL, U+2028, form feed).
    """
    return [line.removesuffix("\r") for line in text.split("\n")]


def caption_texts(given: object) -> tuple[list[str], list[str]]:
    """Extract captions from a JSON value: a text, a number, or a (nested) list of these.

    A reason is returned for each value that is not a text.
    """
    texts: list[str] = []
    reasons: list[str] = []
    stack = [given]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack += reversed(value)
        elif isinstance(value, str) or _is_number(value):
            texts.append(str(value))
        else:
            reasons.append(f"{NOT_TEXT} ({KINDS.get(type(value), 'no number')})")
    return texts, reasons


def _is_number(value: object) -> bool:
    """Whether a value is a finite number and no bool."""
    return type(value) is int or (type(value) is float and math.isfinite(value))
