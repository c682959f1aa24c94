"""Which split a folder's name, or the value of a split column, stands for."""

import re

ALIASES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "eval", "evaluation"),
    "dev": ("dev", "devel", "development"),
    "test": ("test", "testing"),
}
SPLITS = {alias: split for split, aliases in ALIASES.items() for alias in aliases}
NUMBERED = re.compile(r"([a-z]+)[ ._-]?\d+")
SPLIT_LIKE = re.compile(
    r"(val|valid|validation|eval|evaluation|dev|test|testing)[\W_\d].*"
    r"|held[ _-]?out.*|hold[ _-]?out.*|unseen|minival|trainval|restval"
)


def canonical_split(name: str) -> str:
    """The usual name of a split: `val` of `Validation`; other names stay as they are."""
    return SPLITS.get(name.lower(), name)


def split_of_folder(name: str) -> str | None:
    """The split that a folder is called by (`Valid`, `val2017`, `test_1`); None where by none."""
    numbered = NUMBERED.fullmatch(name.lower())
    return SPLITS.get(numbered[1] if numbered else name.lower())


def looks_like_split(name: str) -> bool:
    """Whether a folder's name sounds as if its pictures were held out, but names no known split."""
    return split_of_folder(name) is None and SPLIT_LIKE.fullmatch(name.lower()) is not None
