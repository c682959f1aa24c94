"""Which ideas are worth their time: runs of equal time, by the measures of a bundle."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import numpy as np
import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.runtime.bundle import Bundle
from training.common.console import print_stderr
from training.common.errors import RunError
from training.evaluation.methods import TRUE_CAPTION
from training.evaluation.table import markdown_table
from training.evaluation.targets import TARGETS
from training.experiments.comparison.ablation import Others, changes_of, in_words
from training.experiments.comparison.bench import TAKEN, Benchmark, Told, measure_on, shown
from training.experiments.comparison.filling import load_filling
from training.experiments.comparison.side_by_side import Rows, by_name, fills_grid
from training.experiments.output import beside, leave_table
from training.experiments.registry import Count, Out, Run, Seed, draw, experiment, leave
from training.inference.export import bundle_config
from training.runs.load_run import NEWEST, LoadedRun
from training.runs.metric_logger import read_log
from training.runs.run_dir import RunDir
from training.scorers.judge import load_judge

Folders = Annotated[list[Path], typer.Option("--data", help="A folder that prepare wrote.")]
ALIKE = 0.03  # times that differ by less of themselves are equal: a run ends between two steps
By = Annotated[str, typer.Option(help=f"What to order by: {', '.join(TAKEN)}.")]


@experiment("equal-time")
def equal_time(
    base: Run,
    runs: Others,
    data: Folders,
    out: Out,
    count: Count = 200,
    seed: Seed = 0,
    rows: Rows = 8,
    by: By = "kid_ratio",
) -> None:
    """Rank ideas by what they make of equal time: each run changes something of the BASE run.

    Runs are made of equal time by --set run.minutes. One that changes its seed alone says how far
    two runs of one recipe are apart. Beside OUT.json: OUT.md, the best first; OUT.png, a bar a run;
    OUT-fills.png, a column a run.
    """
    if by not in TAKEN:
        raise RunError(f"--by {by}: it is one of {', '.join(TAKEN)}")
    folders = [base, *runs]
    changes = changes_of([RunDir.open(folder) for folder in folders])
    named = by_name(load_filling(folder, NEWEST, *data) for folder in folders)
    minutes = {name: minutes_of(run) for name, run in named.items()}
    longest, shortest = max(minutes.values()), min(minutes.values())
    if longest - shortest > ALIKE * longest:
        print_stderr(f"the runs did not have equal time: {shortest:.1f} to {longest:.1f} minutes")
    config = bundle_config(named[next(iter(named))], "base", ranks=False)
    judge = load_judge(config.caption_dim)
    benches = [Benchmark(folder, judge, count, seed) for folder in data]
    told: dict[str, Told] = {}
    fills = {}
    for name, run in named.items():
        told[name] = measure_on(benches, as_bundle(run))
        fills[name] = benches[0].filled.fills[TRUE_CAPTION]
        print_stderr(f"{name}: {shown(told[name])}")
    order = best_first(told, by)
    results = {
        "order": order,
        "by": by,
        "minutes": minutes,
        "steps": {name: run.step for name, run in named.items()},
        "pictures_seen": {n: run.step * run.recipe.run.batch_size for n, run in named.items()},
        "changes": {n: in_words(one) for n, one in zip(named, changes, strict=True)},
        "figures": told,
        "pictures": count,
        "seed": seed,
        "definitions": {name: TARGETS[name].definition for name in TAKEN},
    }
    leave(out, "equal-time", [*named.values()], results, bars(told, order, next(iter(named))))
    pictures = benches[0].filled.pictures
    draw(fills_grid(pictures, fills, range(rows), pictures.captions), beside(out, "fills"))
    leave_table(out, order_table(results))


def as_bundle(run: LoadedRun) -> Bundle:
    """Make a bundle of a run as it is, its weights not halved; it has no digest."""
    return Bundle(run.generator, bundle_config(run, run.name, ranks=False), "")


def minutes_of(run: LoadedRun) -> float:
    """Return how long a run has trained.

    Raises:
        RunError: its log does not say: it is of an older version.
    """
    times = [entry["time/minutes"] for entry in read_log(run.run.folder) if "time/minutes" in entry]
    if not times:
        raise RunError(f"{run.name} does not say how long it was trained: it is an older version's")
    return times[-1]


def best_first(told: Mapping[str, Told], by: str) -> list[str]:
    """Return the runs in order of a measure's mean over the sets.

    Raises:
        RunError: it could not be taken of these pictures.
    """
    if not all(by in of for of in told.values()):
        raise RunError(f"{by} could not be measured on these pictures: order --by another measure")
    sign = 1 if TARGETS[by].at_most else -1
    return sorted(told, key=lambda name: sign * mean_of(told[name], by))


def mean_of(told: Told, name: str) -> float:
    """Return a measure's mean over the sets; 0 where there is none."""
    values = [numbers[0] for numbers in told.get(name, {}).values()]
    return float(np.mean(values)) if values else 0.0


def order_table(results: Mapping[str, Any]) -> str:
    """Return the ranking as a Markdown table, the best first."""
    found = [name for name in TAKEN if any(name in of for of in results["figures"].values())]
    headings = ["run", "changed", "minutes", "pictures", *(TARGETS[name].title for name in found)]
    rows = []
    for name in results["order"]:
        cells = shown(results["figures"][name])
        seen = f"{results['pictures_seen'][name]:,}"
        facts = [name, results["changes"][name], f"{results['minutes'][name]:.1f}", seen]
        rows.append([*facts, *(cells.get(measure, "–") for measure in found)])
    return markdown_table(headings, rows)


def bars(told: Mapping[str, Told], order: Sequence[str], base: str) -> Figure:
    """Draw a panel a measure with a bar for every run, its sets as points."""
    found = [name for name in TAKEN if any(name in of for of in told.values())]
    across, down = 5, -(-len(found) // 5)
    size = (16, down * (0.3 * len(order) + 1.2))
    drawing = Figure(figsize=size, layout="constrained")
    places = drawing.subplots(down, across, sharey=True, squeeze=False).ravel()
    for place, name in zip(places, found, strict=False):
        draw_measure(place, name, told, order, base)
    for place in places[len(found) :]:
        place.set_axis_off()
    drawing.axes[0].invert_yaxis()
    return drawing


def draw_measure(
    axes: Axes, name: str, told: Mapping[str, Told], order: Sequence[str], base: str
) -> None:
    """Draw one measure; the base in grey, what must be reached in red."""
    colours = ["C7" if run == base else "C0" for run in order]
    axes.barh(range(len(order)), [mean_of(told[run], name) for run in order], color=colours)
    for row, run in enumerate(order):
        values = [numbers[0] for numbers in told[run].get(name, {}).values()]
        axes.plot(values, [row] * len(values), "k.", markersize=4)
    if TARGETS[name].required is not None:
        axes.axvline(TARGETS[name].required, color="tab:red", linewidth=0.8)
    axes.set_title(fill(TARGETS[name].title, 36), fontsize=8)
    axes.set_yticks(range(len(order)), order, fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
