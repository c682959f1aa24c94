"""A folder that appears when it is complete; a mount point and a symbolic link will do."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.common.errors import OutputError, PreparedDataError
from training.common.output_files import check_output_folder
from training.data.manifest import MANIFEST


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a temporary folder whose files become those of `out` when all went well.

    It lies beside `out` and is renamed at the end. Where that cannot work (a mount point, the
    working directory, a parent that cannot be written), which is tried before the work, it lies
    inside, and its files are moved up at the end, the manifest last.

    Unfinished work is removed at an error. Finished work never is: where it cannot be moved after
    all, the error says where it lies.

    Args:
        out: absent, or an empty folder; a symbolic link is followed.

    Raises:
        PreparedDataError: it cannot be made or written.
    """
    out = out.resolve()
    folder = make_temporary(out)
    try:
        folder.chmod(0o755)
        yield folder
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise PreparedDataError(f"{out}: cannot be written ({error})") from error
        raise
    try:
        finish(folder, out)
    except OSError as error:
        raise PreparedDataError(
            f"{out}: cannot be moved there ({error}); the finished data is in {folder}"
        ) from error


def make_temporary(out: Path) -> Path:
    """Make the temporary folder: beside `out` where it can be renamed to it, else inside."""
    try:
        check_output_folder(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        if not out.exists():
            return Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        return beside(out) or Path(tempfile.mkdtemp(prefix=".preparing-", dir=out))
    except (OSError, OutputError) as error:
        why = getattr(error, "strerror", None) or error
        raise PreparedDataError(f"{out}: cannot be made ({why})") from error


def beside(out: Path) -> Path | None:
    """Make a temporary folder beside an empty one; None where it could not be renamed to it."""
    if out == Path.cwd() or out.is_mount():
        return None
    try:
        # A trial with an empty folder, which shows mount points that look like common folders.
        trial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError:
        return None
    shutil.copymode(out, trial)
    try:
        trial.rename(out)
    except OSError:
        trial.rmdir()
        return None
    return Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))


def finish(folder: Path, out: Path) -> None:
    """Put the finished folder in place of `out`, or move its files up into it."""
    if folder.parent != out:
        folder.rename(out)
        return
    for place in sorted(folder.iterdir(), key=lambda place: place.name == MANIFEST):
        place.rename(out / place.name)
    folder.rmdir()
