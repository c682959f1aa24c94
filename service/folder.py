"""Filling a folder: pictures with a captions file, as `datasets` lays out an imagefolder."""

from pathlib import Path

from service.errors import StartError
from service.metadata import NAMES, Row, read_rows


def read_metadata(folder: Path) -> list[tuple[Path, str]]:
    """Pictures and captions of a folder's `metadata.jsonl` or `metadata.csv`.

    Each row has ``file_name`` and ``caption``, or ``captions``, of which the first counts. The
    caption is empty where the row has none, and is refused when it is filled.

    Raises:
        StartError: no such file, a row that cannot be read, or a name that leads out of the folder.
    """
    return [_entry(folder, row, number) for number, row in enumerate(_rows(folder), 1)]


def _rows(folder: Path) -> list[Row]:
    file = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if file is None:
        raise StartError(f"{folder} has neither {' nor '.join(NAMES)}")
    try:
        return read_rows(file.read_text(encoding="utf-8"), file.name)
    except (ValueError, OSError) as error:
        raise StartError(f"the captions file of {folder} cannot be read: {error}") from error


def _entry(folder: Path, row: Row, number: int) -> tuple[Path, str]:
    if Path(row.name).is_absolute() or ".." in Path(row.name).parts:
        raise StartError(f"row {number} of the captions file leads out of the folder")
    return folder / row.name, row.caption
