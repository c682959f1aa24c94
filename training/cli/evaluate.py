"""Commands that measure: `evaluate`, and `scorer`, which trains what some measures need."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from training.cli.options import Checkpoint, Data, Seed, Which
from training.common.console import stage_progress

ScorerKind = Literal["plain", "steering", "hole", "judge"]


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


def evaluate(
    bundle: Annotated[Path, Argument(help="Bundle or run directory.")],
    json: Annotated[Path, Option(help="JSON to write; Markdown and a grid go beside it.")],
    data: Annotated[
        list[Path] | None, Option("--data", help="A prepared folder; repeat for several.")
    ] = None,
    native: Annotated[
        list[Path] | None,
        Option(help="In the place of --data: photos with captions, as folder or archive."),
    ] = None,
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
    With --native, photos are filled and measured at their own size.
    """
    if bool(data) == bool(native):
        raise typer.BadParameter("give prepared folders (--data) or photos (--native)")
    from training.common.output_files import check_result_files
    from training.evaluation.evaluate import EvaluationSettings
    from training.evaluation.evaluate import evaluate as measure
    from training.evaluation.native.evaluate import evaluate_native

    check_result_files(json)
    with ExitStack() as passing, stage_progress() as progress:
        places = [bundle, *(against or [])]
        at = data or []
        folder, *others = [passing.enter_context(as_bundle(p, checkpoint, at)) for p in places]
        settings = EvaluationSettings(
            split,
            limit,
            seed,
            engine=engine,
            measures=measures or bool(others),
            judge=judge,
            against=others,
        )
        if native:
            text = evaluate_native(folder, native, json, settings, progress)
        else:
            text = measure(folder, at, json, settings, progress).to_markdown()
    typer.echo(text)


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
