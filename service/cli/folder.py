"""Filling a folder: pictures with a captions file, as `datasets` lays out an imagefolder."""

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from captionfill.captions_file import NAMES, CaptionRow, by_form, read_rows
from captionfill.errors import StartError


def read_metadata(folder: Path) -> list[tuple[Path, str]]:
    """Pictures and captions of a folder's `metadata.jsonl` or `metadata.csv`.

    What a row has is told by `captionfill.captions_file.read_rows`. The caption is empty where the
    row has none, and is refused when it is filled. A name is found whether it is composed or
    decomposed Unicode (NFC, NFD), in the file and on disk.

    Raises:
        StartError: no such file, a row that cannot be read, or a name that leads out of the folder.
    """
    rows, listings = _rows(folder), Listings()
    return [_entry(folder, row, number, listings) for number, row in enumerate(rows, 1)]


@dataclass
class Listings:
    """Names in folders by their composed form, each folder listed once.

    Attributes:
        names: by folder, `{composed name: name on disk}`.
    """

    names: dict[Path, dict[str, str]] = field(default_factory=dict)

    def find(self, folder: Path, name: str) -> Path:
        """Return the path of a name in a folder; as it is given where there is none such."""
        place = folder
        for part in Path(name).parts:
            exact = place / part
            composed = unicodedata.normalize("NFC", part)
            place = exact if exact.exists() else place / self._listed(place).get(composed, part)
        return place

    def _listed(self, folder: Path) -> dict[str, str]:
        if folder not in self.names:
            found = folder.iterdir() if folder.is_dir() else ()
            self.names[folder] = by_form(place.name for place in found)
        return self.names[folder]


def _rows(folder: Path) -> list[CaptionRow]:
    file = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if file is None:
        raise StartError(f"{folder} has neither {' nor '.join(NAMES)}")
    try:
        return read_rows(file.read_text(encoding="utf-8"), file.name)
    except (ValueError, OSError) as error:
        raise StartError(f"the captions file of {folder} cannot be read: {error}") from error


def _entry(folder: Path, row: CaptionRow, number: int, listings: Listings) -> tuple[Path, str]:
    if Path(row.name).is_absolute() or ".." in Path(row.name).parts:
        raise StartError(f"row {number} of the captions file leads out of the folder")
    return listings.find(folder, row.name), row.caption
