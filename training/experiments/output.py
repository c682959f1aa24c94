"""What an experiment leaves beside its JSON and its picture."""

from collections.abc import Mapping
from pathlib import Path

from training.common.console import print_stderr
from training.common.output_files import write_atomically, write_error


def leave_table(out: Path, text: str) -> None:
    """Write a table beside a result, `out.md` for `out.json`, and say it.

    Raises:
        RunError: the place cannot be written.
    """
    place = out.with_suffix(".md")
    try:
        write_atomically(place, text + "\n")
    except OSError as error:
        raise write_error(place, error) from error
    print_stderr(text)


def beside(out: Path, name: str) -> Path:
    """Return where a further picture goes: `out-best.png` for `out.json`."""
    return out.with_name(f"{out.stem}-{name}.png")


def span(interval: Mapping[str, float], digits: int = 2) -> str:
    """Return a mean and its interval as a cell: `1.23 [1.20, 1.26]`."""
    mean, low, high = (f"{interval[part]:.{digits}f}" for part in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
