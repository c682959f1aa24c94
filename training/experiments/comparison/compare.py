"""The command `compare`: runs side by side, by one of four kinds of figures."""

import functools
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from training.experiments.comparison.ablation import compare_ablation
from training.experiments.comparison.benchmark import METRIC_NAMES
from training.experiments.comparison.equal_time import compare_equal_time
from training.experiments.comparison.inpainting import compare_fills
from training.experiments.comparison.quality import compare_systems
from training.experiments.comparison.runs import Comparison, RankBy, Request, Which
from training.experiments.output import picture_path, save_picture, write_result, write_table
from training.experiments.registry import Out, Runs, Seed, Split, experiment
from training.runs.load_run import NEWEST


class Kind(StrEnum):
    """What runs are compared by."""

    FILLS = "fills"
    ABLATION = "ablation"
    EQUAL_TIME = "equal-time"
    SYSTEMS = "systems"


# Each with its number of pictures by default, and the name of the experiment in the JSON.
KINDS: dict[Kind, tuple[Callable[[Request], Comparison], int, str]] = {
    Kind.FILLS: (compare_fills, 500, "compare"),
    Kind.ABLATION: (compare_ablation, 500, "ablation"),
    Kind.EQUAL_TIME: (compare_equal_time, 200, "equal-time"),
    Kind.SYSTEMS: (compare_systems, 1000, "systems"),
}

KindOption = Annotated[Kind, typer.Option("--kind", help="What runs are compared by.")]
DataFolders = Annotated[
    list[Path] | None,
    typer.Option("--data", help="A folder that prepare wrote; repeat for several."),
]
CountOption = Annotated[
    int | None, typer.Option("--count", min=4, help="How many pictures; each kind has a default.")
]
Draws = Annotated[int, typer.Option(min=2, help="Fills a picture, to see how they differ.")]
Rank = Annotated[
    RankBy, typer.Option(help="What best and worst pictures are found by, the mean over the runs.")
]
GridRows = Annotated[int, typer.Option(min=1, help="Rows of every grid.")]
SortBy = Annotated[
    str, typer.Option("--by", help=f"Order of equal-time runs: {', '.join(METRIC_NAMES)}.")
]


@experiment("compare")
def compare(
    runs: Runs,
    out: Out,
    kind: KindOption = Kind.FILLS,
    data: DataFolders = None,
    split: Split = None,
    count: CountOption = None,
    seed: Seed = 0,
    which: Which = NEWEST,
    draws: Draws = 3,
    rank_by: Rank = RankBy.FEATURE_DISTANCE,
    rows: GridRows = 10,
    by: SortBy = "kid_ratio",
) -> None:
    """Compare runs; the first one is the base.

    --kind fills: metrics of each fill, paired with the base's, keywords, best and worst pictures.
    --kind ablation: each run's changed recipe keys and what they did, at equal steps if possible.
    --kind equal-time: changed recipe keys, ordered by the measures of a bundle (run.minutes).
    --kind systems: cost, KID, diversity, M or Wasserstein estimate, of whole pictures too.

    Beside OUT.json: OUT.md, OUT.png, and further pictures as OUT-NAME.png.
    """
    compare_runs, default_count, name = KINDS[kind]
    found = compare_runs(
        Request(
            folders=runs,
            data=data or [],
            split=split,
            count=count or default_count,
            seed=seed,
            which=which,
            draws=draws,
            rank_by=rank_by,
            rows=rows,
            sort_by=by,
        )
    )
    write_result(out, name, found.runs, found.results, found.picture)
    for ending, picture in found.pictures.items():
        save_picture(picture, picture_path(out, ending))
    write_table(out, found.table)


def former_command(kind: Kind) -> Callable[..., None]:
    """Return `compare` with its kind fixed, for the command of that name in earlier versions."""

    @functools.wraps(compare)
    def command(*args: Any, **options: Any) -> None:
        compare(*args, **{**options, "kind": kind})

    return command


for _kind in (Kind.ABLATION, Kind.EQUAL_TIME, Kind.SYSTEMS):
    experiment(_kind.value, hidden=True)(former_command(_kind))
