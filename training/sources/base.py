"""What every source gives: examples with their bytes still unread, and what it had to pass over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from training.errors import SourceError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


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
class PassedOver:
    """A picture that is not used, and why."""

    file_name: str
    reason: str


Reading = Iterator[Example | PassedOver]
Source = Callable[[Path], Reading]


def is_picture(path: str) -> bool:
    """Whether the name of a file says that it is a picture (its content is checked later)."""
    return PurePosixPath(path).suffix.lower() in PICTURE_SUFFIXES


def clean_caption(text: str) -> str:
    """Printable characters only, single spaces, nothing at the ends."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def require_text(texts: dict[str, str], name: str, place: Path) -> str:
    """The text of the one file called `name`, wherever it lies; `SourceError` without one."""
    for path, text in texts.items():
        if PurePosixPath(path).name == name:
            return text
    raise SourceError(f"{place}: no {name} there, nor in an archive there")
