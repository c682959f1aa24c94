"""Commands that write what a run gives: `export`, `push`, `sample`, `report`, experiments."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from training.cli.options import Data, MovedData, Seed, Which


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


def push(
    bundle: Annotated[Path, Argument(help="Folder that export wrote.")],
    repo: Annotated[str, Argument(help="Model repository on the Hugging Face Hub: OWNER/NAME.")],
    private: Annotated[
        bool, Option("--private", help="If the repository is new, only its owner can read it.")
    ] = False,
    training_state: Annotated[
        bool, Option("--training-state", help="Upload what `train --from` continues from, too.")
    ] = False,
) -> None:
    """Upload a bundle to the Hugging Face Hub, with its card, as one commit.

    Prints the name that CAPTIONFILL_BUNDLE and Inpainter.from_pretrained take: hf://REPO@COMMIT.
    Log in before with `hf auth login`, or set HF_TOKEN.
    """
    from training.inference.push import push as upload

    pushed = upload(bundle, repo, private=private, training_state=training_state)
    typer.echo(pushed.url, err=True)
    typer.echo(pushed.reference)


def onnx(bundle: Annotated[Path, Argument(help="Folder of a bundle.")]) -> None:
    """Add the networks of an older bundle as ONNX, so that a CPU fills by it without torch.

    Weights and fills stay; the bundle's digest covers the new files and changes. Bundles that
    export writes have them.
    """
    from models.runtime.bundle_writer import add_onnx

    typer.echo(f"{bundle}: {add_onnx(bundle)}")


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


def experiment(context: typer.Context) -> None:
    """Run an experiment on runs: interpolation, sweeps, …; experiment --help lists them."""
    from training.experiments import app as experiments

    experiments()(args=context.args, prog_name="captionfill-train experiment")
