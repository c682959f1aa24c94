"""The data folder: made and tried before anything depends on it."""

import tempfile
from pathlib import Path

from service.errors import StartError


def prepare_data_folder(folder: Path) -> Path:
    """Make the folder where there is none, and try to write in it. Returns its absolute path.

    Raises:
        StartError: it cannot be made or written to; the message says what to do.
    """
    return _prepare(folder, "data folder", "CAPTIONFILL_DATA_FOLDER")


def check_temp_folder(folder: Path | None) -> None:
    """Try to write in the folder that uploads are spooled to; None is the system's own.

    Raises:
        StartError: it cannot be written to.
    """
    chosen = Path(tempfile.gettempdir()) if folder is None else folder
    _prepare(chosen, "folder for uploads", "CAPTIONFILL_TEMP_FOLDER")


def _prepare(folder: Path, purpose: str, variable: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        return folder.resolve()
    except OSError as error:
        reason = "it is not a folder" if _is_file(folder) else error.strerror
        raise StartError(
            f"the {purpose} {folder} cannot be used: {reason}; "
            f"start in a folder that can be written to, or set {variable}"
        ) from error


def _is_file(folder: Path) -> bool:
    """Whether a file is in the folder's place, or in that of a folder above it."""
    try:
        return any(place.exists() and not place.is_dir() for place in (folder, *folder.parents))
    except OSError:
        return False
