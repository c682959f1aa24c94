"""What experiments have in common: their registry, their options, and what they leave."""

import functools
import inspect
import io
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer
from matplotlib.figure import Figure
from PIL import Image

from training.common.console import print_stderr
from training.common.output_files import check_result_files, write_atomically, write_error
from training.reporting.image_grid import to_png
from training.runs.load_run import LoadedRun
from training.runs.run_dir import RunDir

Command = TypeVar("Command", bound=Callable[..., None])
EXPERIMENTS: dict[str, Callable[..., None]] = {}

Run = Annotated[Path, typer.Argument(help="Run directory.")]
Runs = Annotated[list[Path], typer.Argument(help="Run directories.")]
Out = Annotated[
    Path, typer.Option("-o", "--out", help="JSON to write; the picture goes beside it as PNG.")
]
Data = Annotated[
    Path | None, typer.Option("--data", help="A folder that prepare wrote; the run's own if none.")
]
Split = Annotated[str | None, typer.Option(help="Its split; the held-out one by default.")]
Count = Annotated[int, typer.Option("--count", min=4, help="How many pictures.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every draw.")]

DPI = 110


def experiment(name: str) -> Callable[[Command], Command]:
    """Register a function, whose signature is its command line, as an experiment.

    Its argument `out` is checked before it runs.
    """

    def register(command: Command) -> Command:
        @functools.wraps(command)
        def checked(*args: Any, **kwargs: Any) -> None:
            given = inspect.signature(command).bind(*args, **kwargs)
            given.apply_defaults()
            check_result_files(given.arguments["out"])
            command(*args, **kwargs)

        EXPERIMENTS[name] = checked
        return cast(Command, checked)

    return register


def leave(
    out: Path,
    name: str,
    runs: Sequence[LoadedRun | RunDir],
    results: Mapping[str, Any],
    picture: Image.Image | Figure,
) -> None:
    """Write what an experiment found: JSON, and its picture beside it.

    Args:
        out: ends in `.json`.
        name: of the experiment.
        runs: that were looked into.
        results: plain values; what is not finite is refused.
        picture: a grid or a drawing.

    Raises:
        RunError: the name does not end in `.json`, or the place cannot be written.
    """
    check_result_files(out)
    record = {
        "experiment": name,
        "command": shlex.join(["captionfill-train", *sys.argv[1:]]),
        "runs": [about(run) for run in runs],
        "results": results,
    }
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        write_atomically(out, text)
        draw(picture, out.with_suffix(".png"))
    except OSError as error:
        raise write_error(out, error) from error
    print_stderr(f"{out} and {out.with_suffix('.png')}")


def draw(picture: Image.Image | Figure, path: Path) -> None:
    """Write a picture as PNG."""
    if isinstance(picture, Figure):
        buffer = io.BytesIO()
        picture.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
        write_atomically(path, buffer.getvalue())
    else:
        write_atomically(path, to_png(picture))


def about(run: LoadedRun | RunDir) -> dict[str, Any]:
    """Return what names a run in a result, without a path of the machine."""
    rundir = run.run if isinstance(run, LoadedRun) else run
    told = {"run": rundir.folder.resolve().name, "recipe": rundir.recipe.name}
    return told | ({"step": run.step} if isinstance(run, LoadedRun) else {})
