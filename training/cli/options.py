"""Options that several commands have."""

import json
from pathlib import Path
from typing import Annotated, Literal

from typer import Option

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
        "--tracker",
        "--log-with",
        metavar="TRACKER",
        help="Send metrics and samples to tensorboard (the default), wandb, mlflow, trackio, "
        "comet_ml, aim, clearml, dvclive or swanlab; repeat for several.",
    ),
]


def with_trackers(overrides: list[str] | None, trackers: list[str] | None) -> list[str]:
    """Return the overrides of a recipe, with those of `--tracker`."""
    return [*(overrides or []), *([f"run.trackers={json.dumps(trackers)}"] if trackers else [])]
