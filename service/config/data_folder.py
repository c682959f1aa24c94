"""Checks at the start that the data folder and the folder for uploads are writable."""

import tempfile
from pathlib import Path

from captionfill.errors import StartError


def prepare_data_folder(folder: Path) -> Path:
    """Create the folder if needed, and return its absolute path; `StartError` if not writable."""
    advice = "start in a folder that can be written to, or set CAPTIONFILL_DATA_FOLDER"
    return _prepare(folder, "data folder", advice)


def check_temp_folder(folder: Path | None) -> None:
    """Raise `StartError` if the folder for spooled uploads is not writable; None: the system's."""
    chosen = Path(tempfile.gettempdir()) if folder is None else folder
    advice = "set CAPTIONFILL_TEMP_FOLDER to a folder that can be written to"
    _prepare(chosen, "folder for uploads", advice)


def _prepare(folder: Path, purpose: str, advice: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        return folder.resolve()
    except OSError as error:
        reason = "it is not a folder" if _is_file(folder) else error.strerror
        raise StartError(f"the {purpose} {folder} cannot be used: {reason}; {advice}") from error


def _is_file(folder: Path) -> bool:
    """Whether the path or one of its parents is a file."""
    try:
        return any(place.exists() and not place.is_dir() for place in (folder, *folder.parents))
    except OSError:
        return False
