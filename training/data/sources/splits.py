"""Names of splits in folder names and split columns."""

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
    """Return the standard name of a split (`val` for `Validation`); other names are unchanged."""
    return SPLITS.get(name.lower(), name)


def split_of_folder(name: str) -> str | None:
    """Return the split that a folder name means (`Valid`, `val2017`, `test_1`), or None."""
    numbered = NUMBERED.fullmatch(name.lower())
    return SPLITS.get(numbered[1] if numbered else name.lower())


def looks_like_split(name: str) -> bool:
    """Whether a folder name resembles a held-out split but is no known one."""
    return split_of_folder(name) is None and SPLIT_LIKE.fullmatch(name.lower()) is not None
