"""Commands that train a run: `train` and `resume`."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from training.cli.options import Data, MovedData, Set, Trackers, with_trackers
from training.common.console import is_main_process, step_progress


def train(
    recipe: Annotated[str, Argument(help="Name of a shipped recipe, or a TOML file.")],
    data: Data,
    # torchrun takes --run, even after the module's name, for its own --run-path cut short.
    run: Annotated[Path, Option("--run", "--run-dir", help="Run directory to make.")],
    overrides: Set = None,
    init_from: Annotated[
        Path | None, Option("--from", help="A bundle to continue from (export --training-state).")
    ] = None,
    trackers: Trackers = None,
) -> None:
    """Train a recipe in a new run directory.

    The directory gets the resolved recipe, a log (log.jsonl, TensorBoard), sample grids and
    checkpoints. Ctrl-C saves a checkpoint; `resume` continues from it.
    """
    from training.config.load import load_recipe
    from training.trainer.run import start

    chosen = load_recipe(recipe, with_trackers(overrides, trackers))
    with step_progress(chosen.run.steps) as progress:
        start(chosen, data, run, progress, init_from=init_from)
    if is_main_process():
        typer.echo(f"{run}: done; look at {run / 'samples'}")


def resume(
    run: Annotated[Path, Argument(help="Run directory.")],
    overrides: Set = None,
    data: MovedData = None,
    init_from: Annotated[
        Path | None, Option("--from", help="Where the bundle that the run was started from is now.")
    ] = None,
    trackers: Trackers = None,
) -> None:
    """Continue a run from its newest checkpoint, exactly as if it had not been interrupted.

    --set run.steps=N trains longer than planned. Changes that do not fit are refused before the
    run directory is changed.
    """
    from training.runs.run_dir import RunDir
    from training.trainer.run import resume as go_on

    changes = with_trackers(overrides, trackers)
    steps = RunDir.open(run).with_overrides(0, changes).recipe.run.steps
    with step_progress(steps) as progress:
        go_on(run, changes, progress, data=data or (), init_from=init_from)
    if is_main_process():
        typer.echo(f"{run}: done; look at {run / 'samples'}")
