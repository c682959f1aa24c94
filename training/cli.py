"""`captionfill-train`: prepare, train, resume, evaluate, sample, experiment, report, export."""

import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from captionfill.console import print_version
from models.errors import ModelsError
from training.common.console import is_main_process, stage_progress, step_progress
from training.common.errors import PreparedDataError, TrainingError

# Heavy imports are inside the commands, so that --help is fast.

app = typer.Typer(
    help="Train networks that fill the hidden centre of an image from its surroundings and a "
    "caption.\n\nUsual order: prepare a data set, train a recipe, look at the run's samples, "
    "evaluate, export a bundle, and serve it with `captionfill serve`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


SourceName = Literal["flickr8k", "coco", "tiny-imagenet", "cifar10", "mnist", "celeba", "folder"]
ScorerKind = Literal["plain", "steering", "hole", "judge"]
Checkpoint = Literal["newest", "best"]
Data = Annotated[list[Path], Option("--data", help="A prepared folder; repeat for several.")]
MovedData = Annotated[
    list[Path] | None,
    Option("--data", help="Where the run's data is now, if moved; repeat for several."),
]
Seed = Annotated[int, Option(min=0, max=2**32 - 1, help="Random seed.")]
Which = Annotated[
    Checkpoint, Option("--checkpoint", help="The newest checkpoint of a run, or the best.")
]
Set = Annotated[
    list[str] | None,
    Option("--set", help="Change a recipe value: run.steps=500; repeat for several."),
]
Trackers = Annotated[
    list[str] | None,
    Option(
        "--log-with",
        metavar="TRACKER",
        help="Send metrics to tensorboard (the default), wandb, mlflow, trackio, comet_ml, aim, "
        "clearml, dvclive or swanlab; repeat for several.",
    ),
]


def with_trackers(overrides: list[str] | None, trackers: list[str] | None) -> list[str]:
    """Return the overrides of a recipe, with those of `--log-with`."""
    return [*(overrides or []), *([f"run.trackers={json.dumps(trackers)}"] if trackers else [])]


Version = Annotated[
    bool,
    Option("--version", is_eager=True, callback=print_version, help="Print the version and exit."),
]


@app.callback()
def options(version: Version = False) -> None:
    """Options of every command."""


@app.command()
def prepare(
    layout: Annotated[SourceName, Argument(help="The upstream layout of SOURCE.")],
    source: Annotated[Path, Argument(help="Folder or archive, as published.")],
    out: Annotated[Path, Argument(help="Folder to write; must be empty or absent.")],
    size: Annotated[
        int, Option(min=32, max=4096, help="Side of the images; over 64 for crops.")
    ] = 64,
    encoder: Annotated[
        str | None, Option(help="sentence-transformers model name or folder.")
    ] = None,
    limit: Annotated[int | None, Option(min=1, help="Most images per split.")] = None,
    shard_images: Annotated[int, Option(min=1, help="Most images per shard.")] = 5000,
) -> None:
    """Read a captioned data set, resize it, embed its captions, and write sharded Parquet.

    Images that cannot be read are named, counted and skipped. The result loads with Hugging Face
    datasets: load_dataset("OUT").
    """
    from models.captions import DEFAULT_ENCODER
    from training.data.prepare import prepare as run

    with stage_progress() as progress:
        manifest = run(
            layout,
            source,
            out,
            size=size,
            encoder=encoder or DEFAULT_ENCODER,
            limit=limit,
            shard_images=shard_images,
            progress=progress,
        )
    counts = ", ".join(f"{name}: {count['images']:,}" for name, count in manifest.splits.items())
    typer.echo(f"{out}: {counts} images; {len(manifest.passed_over)} skipped")


@app.command()
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


@app.command()
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


@app.command()
def export(
    run: Annotated[Path, Argument(help="Run directory.")],
    bundle: Annotated[Path, Argument(help="Folder to write the bundle to.")],
    name: Annotated[str | None, Option(help="The bundle's name.")] = None,
    evaluation: Annotated[
        list[Path] | None, Option(help="JSON of evaluate for the card; repeat for several.")
    ] = None,
    scorer: Annotated[
        Path | None, Option(help="Weights of a plain scorer, which ranks fills.")
    ] = None,
    guidance: Annotated[
        float | None, Option(min=0, help="Guidance scale of the caption; 1 is as trained.")
    ] = None,
    temperature: Annotated[
        float | None,
        Option(min=0, help="Noise scale; 0 gives the mean prediction, 1 is as trained."),
    ] = None,
    notes: Annotated[
        Path | None, Option(help="Markdown for the card, instead of the usual warnings.")
    ] = None,
    training_state: Annotated[
        bool, Option("--training-state", help="Add what a later `train --from` continues from.")
    ] = False,
    checkpoint: Which = "newest",
    data: MovedData = None,
) -> None:
    """Write a run's checkpoint as a bundle: half-precision weights, config, model card.

    An older bundle is replaced when the new one is complete; an error leaves it.
    """
    from training.inference.export import export as write
    from training.runs.run_dir import RunDir

    RunDir.open(run).with_data_at(data or ())
    digest = write(
        run,
        bundle,
        name,
        evaluation or [],
        checkpoint,
        scorer=scorer,
        guidance=guidance,
        temperature=temperature,
        notes=notes,
        data=data or (),
        training_state=training_state,
    )
    typer.echo(f"{bundle}: {digest}")


@app.command()
def scorer(
    kind: Annotated[ScorerKind, Argument(help="Kind of scorer.")],
    data: Data,
    out: Annotated[Path, Option("-o", "--out", help="safetensors file to write.")],
    steps: Annotated[int, Option(min=1, help="Training steps of 256 images.")] = 1300,
    seed: Seed = 0,
) -> None:
    """Train a scorer that tells how well a picture's centre fits a caption.

    "plain" ranks fills in a bundle (export --scorer), "steering" and "hole" are what the flagship
    is trained against, "judge" is for evaluations alone.
    """
    from training.common.output_files import check_output
    from training.evaluation.scorers.kinds import SCORER_KINDS, save_scorer
    from training.evaluation.scorers.train import ScorerSchedule, train_scorer

    check_output(out)
    with stage_progress() as progress:
        trained, precisions = train_scorer(
            SCORER_KINDS[kind],
            data,
            ScorerSchedule(steps=steps, seed=seed),
            lambda step, loss: progress("training", step, steps),
            progress,
        )
    save_scorer(trained, out)
    for source, precision in precisions.items():
        typer.echo(f"{source}: R-precision@1 of 100 on held-out pictures {precision:.3f}")
    typer.echo(out)


@app.command()
def evaluate(
    bundle: Annotated[Path, Argument(help="Bundle or run directory.")],
    data: Data,
    json: Annotated[Path, Option(help="JSON to write; Markdown and a grid go beside it.")],
    split: Annotated[
        str | None, Option(help="Such as dev; by default the held-out split of each.")
    ] = None,
    against: Annotated[
        list[Path] | None, Option(help="Another bundle or run to compare with; repeat for several.")
    ] = None,
    judge: Annotated[
        Path | None, Option(help="Weights of another judge than the shipped one.")
    ] = None,
    measures: Annotated[
        bool, Option(help="Take the measures of docs/measures.md, or the methods' table.")
    ] = True,
    limit: Annotated[int | None, Option(min=2, help="At most so many pictures of each.")] = None,
    seed: Seed = 0,
    engine: Annotated[
        str, Option(help="What fills: auto, torch, openvino or openvino-f32.")
    ] = "auto",
    checkpoint: Which = "newest",
) -> None:
    """Measure a bundle and the classical methods on the same images.

    Besides their table: how far it keeps the bounds of docs/measures.md, on every data folder.
    """
    from training.common.output_files import check_result_files
    from training.evaluation.evaluate import EvaluationSettings
    from training.evaluation.evaluate import evaluate as measure

    check_result_files(json)
    with ExitStack() as passing, stage_progress() as progress:
        places = [bundle, *(against or [])]
        folder, *others = [passing.enter_context(as_bundle(p, checkpoint, data)) for p in places]
        settings = EvaluationSettings(
            split,
            limit,
            seed,
            engine=engine,
            measures=measures or bool(others),
            judge=judge,
            against=others,
        )
        result = measure(folder, data, json, settings, progress)
    typer.echo(result.to_markdown())


@app.command()
def sample(
    bundle: Annotated[Path, Argument(help="Bundle or run directory.")],
    data: Data,
    out: Annotated[Path, Option("-o", "--out", help="PNG to write.")],
    split: Annotated[str, Option(help="Split of the data.")] = "train",
    rows: Annotated[int, Option(min=1, help="Number of images.")] = 16,
    seed: Seed = 0,
    checkpoint: Which = "newest",
    temperature: Annotated[
        list[float] | None, Option(min=0, max=1, help="Noise scales, a column each.")
    ] = None,
) -> None:
    """Write a grid: context, fills with the true, no and a wrong caption, and the real image.

    With --temperature there is a column for each, with the true caption. For an unconditional
    system a row is eight generated images and a real one.
    """
    from training.inference.sample_grid import write_samples

    write_samples(
        bundle,
        data,
        out,
        split=split,
        rows=rows,
        seed=seed,
        which=checkpoint,
        temperatures=temperature or (),
    )
    typer.echo(out)


@app.command()
def report(
    runs: Annotated[list[Path], Argument(help="Run directories, finished or running.")],
    out: Annotated[Path, Option("-o", "--out", help="HTML page to write.")],
) -> None:
    """Write one HTML page about a run, or about several side by side.

    It has curves of the log, sample grids, monitors' findings, evaluations in the run directory,
    recipe, environment and data. It loads nothing from elsewhere.
    """
    from training.runs.report.html_report import write_report

    write_report(runs, out)
    typer.echo(out)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def experiment(context: typer.Context) -> None:
    """Run an experiment on runs: interpolation, sweeps, …; experiment --help lists them."""
    from training.experiments import app as experiments

    experiments()(args=context.args, prog_name="captionfill-train experiment")


@contextmanager
def as_bundle(place: Path, checkpoint: Checkpoint, data: Sequence[Path]) -> Iterator[Path]:
    """Yield a bundle's folder; a run directory is exported to a temporary one."""
    from training.inference.export import export as write
    from training.runs.run_dir import RECORD

    if not (place / RECORD).is_file():
        yield place
        return
    with tempfile.TemporaryDirectory() as passing:
        write(place, Path(passing), which=checkpoint, data=data)
        yield Path(passing)


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


if __name__ == "__main__":
    main()
