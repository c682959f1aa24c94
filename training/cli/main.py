"""The command line `captionfill-train`: its commands, and how its errors are printed."""

import logging
import os
import signal
import sys
from typing import Annotated

import typer
from typer import Option

from captionfill.console import print_version
from models.errors import ModelsError
from training.cli.evaluate import evaluate, scorer
from training.cli.output import experiment, export, onnx, push, report, sample
from training.cli.prepare import prepare
from training.cli.recipes import app as recipes
from training.cli.train import resume, train
from training.common.console import is_main_process
from training.common.errors import PreparedDataError, TrainingError

app = typer.Typer(
    help="Train networks that fill the hidden centre of an image from its surroundings and a "
    "caption.\n\nUsual order: prepare a data set, train a recipe, look at the run's samples, "
    "evaluate, export a bundle, and serve it with `captionfill serve`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Version = Annotated[
    bool,
    Option("--version", is_eager=True, callback=print_version, help="Print the version and exit."),
]


@app.callback()
def options(version: Version = False) -> None:
    """Options of every command."""


for command in (prepare, train, resume, export, onnx, push, scorer, evaluate, sample, report):
    app.command()(command)
app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(experiment)
app.add_typer(recipes, name="recipes")


def main() -> None:
    """Run the command line; print a user's error as one line, without a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # Read when torch is first imported. Threads that spin while they wait take the cores from
    # other processes and from each other: steps were ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # `docker stop` and job schedulers send SIGTERM: a training saves a checkpoint, as on Ctrl-C,
    # also where the shell started it with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        app()
    except (TrainingError, ModelsError) as error:
        # Errors stop all ranks, and rank 0 prints them; but each rank reads its data itself.
        if is_main_process() or isinstance(error, PreparedDataError):
            typer.echo(f"captionfill-train: {error}", err=True)
        sys.exit(1)
    except OSError as error:  # such as a disk that became full
        typer.echo(f"captionfill-train: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
