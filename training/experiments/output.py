"""Writes the results of an experiment: JSON, pictures and Markdown tables."""

import io
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from captionfill.output_files import write_atomically
from training.common.console import print_stderr
from training.common.image_grid import to_png
from training.common.output_files import check_result_files, write_error
from training.runs.load_run import LoadedRun
from training.runs.run_dir import RunDir

DPI = 110


def write_result(
    out: Path,
    name: str,
    runs: Sequence[LoadedRun | RunDir],
    results: Mapping[str, Any],
    picture: Image.Image | Figure,
) -> None:
    """Write the JSON of an experiment, and its picture beside it as PNG.

    The results are JSON values; NaN and infinity are refused.

    Raises:
        RunError: the name does not end in `.json`, or the place cannot be written.
    """
    check_result_files(out)
    record = {
        "experiment": name,
        "command": shlex.join(["captionfill-train", *sys.argv[1:]]),
        "runs": [about_run(run) for run in runs],
        "results": results,
    }
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        write_atomically(out, text)
        save_picture(picture, out.with_suffix(".png"))
    except OSError as error:
        raise write_error(out, error) from error
    print_stderr(f"{out} and {out.with_suffix('.png')}")


def write_table(out: Path, text: str) -> None:
    """Write a Markdown table beside a result, `out.md` for `out.json`, and print it.

    Raises:
        RunError: the place cannot be written.
    """
    path = out.with_suffix(".md")
    try:
        write_atomically(path, text + "\n")
    except OSError as error:
        raise write_error(path, error) from error
    print_stderr(text)


def save_picture(picture: Image.Image | Figure, path: Path) -> None:
    """Write a picture as PNG."""
    if isinstance(picture, Figure):
        buffer = io.BytesIO()
        picture.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
        write_atomically(path, buffer.getvalue())
    else:
        write_atomically(path, to_png(picture))


def about_run(run: LoadedRun | RunDir) -> dict[str, Any]:
    """Return name, recipe and step of a run, without any path of the machine."""
    run_dir = run.run if isinstance(run, LoadedRun) else run
    about = {"run": run_dir.folder.resolve().name, "recipe": run_dir.recipe.name}
    return about | ({"step": run.step} if isinstance(run, LoadedRun) else {})


def picture_path(out: Path, name: str, suffix: str = ".png") -> Path:
    """Return the path of a further picture: `out-best.png` for `out.json`."""
    return out.with_name(f"{out.stem}-{name}{suffix}")


def format_interval(interval: Mapping[str, float], digits: int = 2) -> str:
    """Return a mean and its interval as a cell: `1.23 [1.20, 1.26]`."""
    mean, low, high = (f"{interval[part]:.{digits}f}" for part in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
