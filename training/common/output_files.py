"""Checks that results can be written. Failures are `OutputError`."""

from functools import partial
from pathlib import Path

from captionfill import output_files
from training.common.errors import OutputError

check_output = partial(output_files.check_output, error=OutputError)
check_output_folder = partial(output_files.check_output_folder, error=OutputError)


def check_result_files(out: Path) -> None:
    """Check before any work that results can be written: JSON, and table and picture beside it.

    Raises:
        OutputError: the name does not end in `.json`, or one of the files cannot be written.
    """
    if out.suffix != ".json":
        raise OutputError(f"{out}: the name of the result must end in .json")
    check_output(out, out.with_suffix(".md"), out.with_suffix(".png"))


def write_error(path: Path, reason: Exception) -> OutputError:
    """Return the error that names a path and why it cannot be written."""
    return OutputError(output_files.describe_failure(path, reason))
