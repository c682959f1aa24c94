"""`captionfill-train`: prepare, train, resume, evaluate, sample, experiment, report, export."""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from models.errors import ModelsError
from training.common.console import is_main_process, stage_progress, step_progress
from training.common.errors import PreparedDataError, TrainingError

# Heavy imports live inside the commands, so that --help answers at once.

app = typer.Typer(
    help="Train networks that fill the hidden centre of a picture from its surroundings and a "
    "caption.\n\nThe usual way: prepare a data set, train a recipe on it, look at the run's "
    "samples, evaluate, export a bundle, and serve it with `captionfill serve`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


class SourceName(StrEnum):
    """The layouts that `prepare` reads."""

    FLICKR8K = "flickr8k"
    COCO = "coco"
    TINY_IMAGENET = "tiny-imagenet"
    CIFAR10 = "cifar10"
    MNIST = "mnist"
    CELEBA = "celeba"
    FOLDER = "folder"


class ScorerKind(StrEnum):
    """The four scorers, see training.scorers.train."""

    PLAIN = "plain"
    STEERING = "steering"
    HOLE = "hole"
    JUDGE = "judge"


class Checkpoint(StrEnum):
    """Which of a run's checkpoints."""

    NEWEST = "newest"
    BEST = "best"


Data = Annotated[
    list[Path], typer.Option("--data", help="A folder that prepare wrote; repeat for several.")
]
MovedData = Annotated[
    list[Path] | None,
    typer.Option("--data", help="Where the run's prepared data is now, if it has moved; repeat."),
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of every draw.")]
Which = Annotated[
    Checkpoint, typer.Option("--checkpoint", help="Which of a run's: the newest or the best.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a recipe value, as run.steps=500; repeat for several."),
]


@app.command()
def prepare(
    layout: Annotated[SourceName, typer.Argument(help="The upstream layout of SOURCE.")],
    source: Annotated[Path, typer.Argument(help="Folder or archive, as published.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; must be empty or absent.")],
    size: Annotated[
        int, typer.Option(min=32, max=4096, help="Side of the pictures; over 64 leaves crop room.")
    ] = 64,
    encoder: Annotated[
        str | None, typer.Option(help="sentence-transformers model name or folder.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many pictures a split.")
    ] = None,
    shard_images: Annotated[int, typer.Option(min=1, help="Most pictures in a shard.")] = 5000,
) -> None:
    """Read a captioned data set, resize it, embed its captions, and write sharded Parquet.

    Broken pictures are named, counted and passed over. The result loads in one line with Hugging
    Face datasets: load_dataset("OUT").
    """
    from models.captions import DEFAULT_ENCODER
    from training.data.prepare import prepare as run

    with stage_progress() as progress:
        manifest = run(
            layout.value,
            source,
            out,
            size=size,
            encoder=encoder or DEFAULT_ENCODER,
            limit=limit,
            shard_images=shard_images,
            progress=progress,
        )
    counts = ", ".join(f"{name}: {count['images']:,}" for name, count in manifest.splits.items())
    typer.echo(f"{out}: {counts} pictures; {len(manifest.passed_over)} passed over")


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or a TOML file.")],
    data: Data,
    # torchrun takes --run, even after the module's name, for its own --run-path cut short.
    run: Annotated[Path, typer.Option("--run", "--run-dir", help="Run directory to make.")],
    overrides: Set = None,
    init_from: Annotated[
        Path | None,
        typer.Option("--from", help="A bundle whose weights the generator begins with."),
    ] = None,
) -> None:
    """Train a recipe in a new run directory.

    The directory gets the resolved recipe, a log (log.jsonl, TensorBoard), sample grids and
    checkpoints. Ctrl-C leaves a checkpoint; `resume` goes on from it.
    """
    from training.config.load import load_recipe
    from training.trainer.run import start

    chosen = load_recipe(recipe, overrides)
    with step_progress(chosen.run.steps) as progress:
        start(chosen, data, run, progress, init_from=init_from)
    if is_main_process():
        typer.echo(f"{run}: done; look at {run / 'samples'}")


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(help="Run directory to go on with.")],
    overrides: Set = None,
    data: MovedData = None,
    init_from: Annotated[
        Path | None,
        typer.Option("--from", help="Where the bundle that the run begins with is now."),
    ] = None,
) -> None:
    """Go on with a run from its newest checkpoint, exactly as if it had never stopped.

    --set run.steps=N goes on for longer than the run was planned for. What does not fit is refused
    before the run directory is changed.
    """
    from training.runs.run_dir import RunDir
    from training.trainer.run import resume as go_on

    steps = RunDir.open(run).with_overrides(0, overrides or []).recipe.run.steps
    with step_progress(steps) as progress:
        go_on(run, overrides or [], progress, data=data or (), init_from=init_from)
    if is_main_process():
        typer.echo(f"{run}: done; look at {run / 'samples'}")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    bundle: Annotated[Path, typer.Argument(help="Folder to write the bundle to.")],
    name: Annotated[str | None, typer.Option(help="The bundle's name.")] = None,
    evaluation: Annotated[
        list[Path] | None, typer.Option(help="JSON of evaluate, for the card; may be repeated.")
    ] = None,
    scorer: Annotated[
        Path | None, typer.Option(help="A plain scorer's weights, to rank fills with.")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(min=0, help="How far past its caption a fill goes; 1 is as trained."),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0, help="Of the noise; less keeps fills near their mean, 1 is as trained."
        ),
    ] = None,
    notes: Annotated[
        Path | None, typer.Option(help="Markdown to put on the card, for the usual warnings.")
    ] = None,
    checkpoint: Which = Checkpoint.NEWEST,
    data: MovedData = None,
) -> None:
    """Write a run's checkpoint as a bundle: half-precision weights, config, model card.

    An older bundle in its place is replaced when the new one is complete, and not by an error.
    """
    from training.inference.export import export as write
    from training.runs.run_dir import RunDir

    RunDir.open(run).with_data_at(data or ())
    digest = write(
        run,
        bundle,
        name,
        evaluation or [],
        checkpoint.value,
        scorer=scorer,
        guidance=guidance,
        temperature=temperature,
        notes=notes,
        data=data or (),
    )
    typer.echo(f"{bundle}: {digest}")


@app.command()
def scorer(
    kind: Annotated[ScorerKind, typer.Argument(help="Which one.")],
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="safetensors file to write.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of 256 pictures.")] = 1300,
    seed: Seed = 0,
) -> None:
    """Train a scorer that tells how well a picture's centre fits a caption.

    "plain" ranks fills in a bundle (export --scorer), "steering" and "hole" are what the flagship
    is trained against, "judge" is for evaluations alone.
    """
    from training.common.output_files import check_output
    from training.scorers.train import SCORER_KINDS, ScorerSchedule, save_scorer, train_and_test

    check_output(out)
    with stage_progress() as progress:
        trained, precisions = train_and_test(
            SCORER_KINDS[kind.value],
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
    bundle: Annotated[Path, typer.Argument(help="A bundle, or a run directory.")],
    data: Data,
    json: Annotated[Path, typer.Option(help="Result; Markdown and a grid go beside it.")],
    split: Annotated[
        str | None, typer.Option(help="Such as dev; by default what each folder holds out.")
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Another bundle or run to compare with; repeat for several."),
    ] = None,
    judge: Annotated[
        Path | None, typer.Option(help="Weights of another judge than the shipped one.")
    ] = None,
    measures: Annotated[
        bool, typer.Option(help="Take the measures of docs/measures.md, or the methods' table.")
    ] = True,
    limit: Annotated[
        int | None, typer.Option(min=2, help="At most so many pictures of each.")
    ] = None,
    seed: Seed = 0,
    engine: Annotated[
        str, typer.Option(help="What fills: auto, torch, openvino or openvino-f32.")
    ] = "auto",
    checkpoint: Which = Checkpoint.NEWEST,
) -> None:
    """Measure a bundle beside the classical methods, on the same pictures in one run.

    Besides their table: how far it keeps the bounds of docs/measures.md, on every data folder.
    """
    from training.common.output_files import check_result_files
    from training.evaluation.evaluate import BenchmarkOptions, EvaluationSettings
    from training.evaluation.evaluate import evaluate as measure

    check_result_files(json)
    with ExitStack() as passing, stage_progress() as progress:
        places = [bundle, *(against or [])]
        folder, *others = [passing.enter_context(as_bundle(p, checkpoint, data)) for p in places]
        result = measure(
            folder,
            data,
            split,
            out_json=json,
            settings=EvaluationSettings(limit=limit, seed=seed, engine=engine),
            benchmarks=BenchmarkOptions(judge, others) if measures or others else None,
            progress=progress,
        )
    typer.echo(result.to_markdown())


@app.command()
def sample(
    bundle: Annotated[Path, typer.Argument(help="A bundle, or a run directory.")],
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="PNG to write.")],
    split: Annotated[str, typer.Option(help="Which split.")] = "train",
    rows: Annotated[int, typer.Option(min=1, help="How many pictures.")] = 16,
    seed: Seed = 0,
    checkpoint: Which = Checkpoint.NEWEST,
    temperature: Annotated[
        list[float] | None, typer.Option(min=0, max=1, help="A column for each; may be repeated.")
    ] = None,
) -> None:
    """Draw a grid: context, fills with the true, no and a wrong caption, and the real picture.

    With --temperature a column for each, all with the true caption. Of a run that makes whole
    pictures, a row is eight of them and a real one.
    """
    from training.inference.sample import write_samples

    write_samples(
        bundle,
        data,
        out,
        split=split,
        rows=rows,
        seed=seed,
        which=checkpoint.value,
        temperatures=temperature or (),
    )
    typer.echo(out)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, done or under way.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="HTML page to write.")],
) -> None:
    """Show a run, or several side by side, on one HTML page that needs nothing else.

    Curves from the log, sample grids, what the guards found, evaluations that lie in the run
    directory, recipe, environment and data.
    """
    from training.reporting.html_report import write_report

    write_report(runs, out)
    typer.echo(out)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def experiment(context: typer.Context) -> None:
    """Look into runs: interpolation, sweeps, what captions do, … (experiment --help lists them)."""
    from training.experiments import app as experiments

    experiments()(args=context.args, prog_name="captionfill-train experiment")


@contextmanager
def as_bundle(place: Path, checkpoint: Checkpoint, data: Sequence[Path]) -> Iterator[Path]:
    """Give a bundle's folder; a run directory is exported to a temporary one."""
    from training.inference.export import export as write
    from training.runs.run_dir import RECORD

    if not (place / RECORD).is_file():
        yield place
        return
    with tempfile.TemporaryDirectory() as passing:
        write(place, Path(passing), which=checkpoint.value, data=data)
        yield Path(passing)


def interrupt(number: int, _frame: object) -> None:
    """Turn a signal into what Ctrl-C raises."""
    raise KeyboardInterrupt(number)


def main() -> None:
    """Run the command line; an error of the user's is one line, without a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # Read when torch is first imported. Threads that spin for the next piece of work keep the
    # core from whoever runs beside, themselves included: steps were ten times slower then.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # `docker stop` and job schedulers send SIGTERM: a training then leaves a checkpoint, as it
    # does on Ctrl-C, even where the shell started it with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        app()
    except (TrainingError, ModelsError) as error:
        # What stops ranks stops them all, but for their data, which each reads by itself.
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
