"""Read a folder of images with a captions file, in the layout of an imagefolder of `datasets`."""

import unicodedata
from dataclasses import dataclass, field
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
    rows, listings = _rows(folder), Listings()
    return [_entry(folder, row, number, listings) for number, row in enumerate(rows, 1)]


@dataclass
class Listings:
    """File names by their composed Unicode form; each folder is listed once.

    Attributes:
        names: `{composed name: name on disk}` of each folder.
    """

    names: dict[Path, dict[str, str]] = field(default_factory=dict)

    def find(self, folder: Path, name: str) -> Path:
        """Return the path of a name in a folder; where there is no such file, as it is given."""
        place = folder
        for part in Path(name).parts:
            exact = place / part
            composed = unicodedata.normalize("NFC", part)
            place = exact if exact.exists() else place / self._listed(place).get(composed, part)
        return place

    def _listed(self, folder: Path) -> dict[str, str]:
        if folder not in self.names:
            found = folder.iterdir() if folder.is_dir() else ()
            self.names[folder] = by_composed_form(place.name for place in found)
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
