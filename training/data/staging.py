"""Staging folder: an output folder appears only when it is complete."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.common.errors import OutputError, PreparedDataError
from training.common.output_files import check_output_folder
from training.data.manifest import MANIFEST


@contextmanager
def staging_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `out` if the context ends without an error.

    It is a sibling of `out`, renamed at the end. If that is impossible (a mount point, the working
    directory, a read-only parent: tried before the work), it is inside `out`, and its files are
    moved up at the end, the manifest last.

    Unfinished work is removed after an error. Finished work is kept: if it cannot be moved, the
    error names its folder.

    Raises:
        PreparedDataError: the folder cannot be created or written.
    """
    out = out.resolve()
    folder = make_staging_folder(out)
    try:
        folder.chmod(0o755)
        yield folder
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise PreparedDataError(f"{out}: cannot be written ({error})") from error
        raise
    try:
        publish(folder, out)
    except OSError as error:
        raise PreparedDataError(
            f"{out}: cannot be moved there ({error}); the finished data is in {folder}"
        ) from error


def make_staging_folder(out: Path) -> Path:
    """Make the temporary folder: a sibling of `out` if it can be renamed, else inside `out`."""
    try:
        check_output_folder(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and not can_be_replaced(out):
            return Path(tempfile.mkdtemp(prefix=".preparing-", dir=out))
        return Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except (OSError, OutputError) as error:
        why = getattr(error, "strerror", None) or error
        raise PreparedDataError(f"{out}: cannot be made ({why})") from error


def can_be_replaced(out: Path) -> bool:
    """Replace an empty folder by another one. Some mount points look like ordinary folders."""
    if out == Path.cwd() or out.is_mount():
        return False
    try:
        with tempfile.TemporaryDirectory(
            prefix=f".{out.name}-", dir=out.parent, ignore_cleanup_errors=True
        ) as trial:
            shutil.copymode(out, trial)
            Path(trial).rename(out)
    except OSError:
        return False
    return True


def publish(folder: Path, out: Path) -> None:
    """Rename the finished folder to `out`, or move its files up into it."""
    if folder.parent != out:
        folder.rename(out)
        return
    for place in sorted(folder.iterdir(), key=lambda place: place.name == MANIFEST):
        place.rename(out / place.name)
    folder.rmdir()
