"""The registry of experiments, and the command-line options that they share."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer

from training.common.output_files import check_result_files

Command = TypeVar("Command", bound=Callable[..., None])
EXPERIMENTS: dict[str, Callable[..., None]] = {}
HIDDEN: set[str] = set()  # names of former commands, which still work

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


def experiment(name: str, *, hidden: bool = False) -> Callable[[Command], Command]:
    """Register a function as an experiment; its signature is its command line.

    Its argument `out` is checked before it runs. A hidden command is left out of the help.
    """

    def register(command: Command) -> Command:
        @functools.wraps(command)
        def checked(*args: Any, **kwargs: Any) -> None:
            given = inspect.signature(command).bind(*args, **kwargs)
            given.apply_defaults()
            check_result_files(given.arguments["out"])
            command(*args, **kwargs)

        EXPERIMENTS[name] = checked
        if hidden:
            HIDDEN.add(name)
        return cast(Command, checked)

    return register
