"""A folder of images with a captions file, in the layout of an imagefolder of `datasets`.

`read_metadata` reads it; `output_places` names the files of the filled images.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from captionfill.captions_file import NAMES, CaptionRow, by_composed_form, read_rows
from captionfill.errors import StartError


def read_metadata(folder: Path) -> list[tuple[Path, str]]:
    """Read image paths and captions from a folder's `metadata.jsonl` or `metadata.csv`.

    `captionfill.captions_file.read_rows` describes the rows. The caption is empty where the row
    has none. Names match in composed and decomposed Unicode (NFC, NFD), in the file and on disk.

    Raises:
        StartError: no captions file, a row that cannot be read, or a name that leads out of the
            folder.
    """
    listing = cache(_listing)  # each folder is listed once
    return [_entry(folder, row, number, listing) for number, row in enumerate(_rows(folder), 1)]


def output_places(folder: Path, photos: Sequence[Path], output: Path) -> list[Path]:
    """Return where the filled pictures of a folder go: `a.png` for `a.jpg`.

    Pictures that would get one name (`a.jpg` and `a.webp`) keep their own endings: `a.jpg.png`.
    Names that differ in case alone count as one, since some file systems take them for one.

    Raises:
        StartError: the output is the folder or in it, a picture is named twice, or two filled
            pictures would still get one name, or one the name of an input.
    """
    if output.resolve().is_relative_to(folder.resolve()):
        raise StartError(f"{output} is the folder of the pictures or in it: choose another with -o")
    for photo, times in Counter(photos).items():
        if times > 1:
            raise StartError(f"{photo} is named {times} times by the captions file: once is needed")
    names = [photo.relative_to(folder) for photo in photos]
    short = [name.with_suffix(".png") for name in names]
    shared = Counter(map(_plain, short))
    places = [
        output / (brief if shared[_plain(brief)] == 1 else name.with_name(f"{name.name}.png"))
        for name, brief in zip(names, short, strict=True)
    ]
    for plain, times in Counter(map(_plain, places)).items():
        if times > 1:
            raise StartError(
                f"{times} filled pictures would be called {plain}: rename the pictures"
            )
    inputs = {photo.resolve() for photo in photos}
    for place in places:
        if place.resolve() in inputs:
            raise StartError(f"{place} is one of the pictures: choose another folder with -o")
    return places


def _rows(folder: Path) -> list[CaptionRow]:
    file = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if file is None:
        raise StartError(f"{folder} has neither {' nor '.join(NAMES)}")
    try:
        return read_rows(file.read_text(encoding="utf-8"), file.name)
    except (ValueError, OSError) as error:
        raise StartError(f"the captions file of {folder} cannot be read: {error}") from error


def _entry(
    folder: Path, row: CaptionRow, number: int, listing: Callable[[Path], Mapping[str, str]]
) -> tuple[Path, str]:
    name = Path(row.name)
    if name.is_absolute() or ".." in name.parts:
        raise StartError(f"row {number} of the captions file leads out of the folder")
    place = folder
    for part in name.parts:
        exact = place / part
        composed = unicodedata.normalize("NFC", part)
        place = exact if exact.exists() else place / listing(place).get(composed, part)
    return place, row.caption


def _listing(folder: Path) -> dict[str, str]:
    """Return the names on disk by their composed Unicode form."""
    found = folder.iterdir() if folder.is_dir() else ()
    return by_composed_form(place.name for place in found)


def _plain(path: Path) -> str:
    return str(path).casefold()
