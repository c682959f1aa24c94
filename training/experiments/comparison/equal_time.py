"""Compares runs of equal training time by the measures of a bundle, the best first."""

from collections.abc import Mapping
from typing import Any

from models.runtime.bundle import Bundle
from training.common.console import print_stderr
from training.common.errors import RunError
from training.evaluation.benchmarks.targets import TARGETS
from training.evaluation.methods import TRUE_CAPTION
from training.evaluation.scorers.judge import load_judge
from training.experiments.comparison.benchmark import (
    METRIC_NAMES,
    METRICS,
    Benchmark,
    Figures,
    format_figures,
    measure_bundle,
)
from training.experiments.comparison.columns import Column, bar_chart, markdown_rows
from training.experiments.comparison.config_diff import changes_of_runs, in_words
from training.experiments.comparison.runs import (
    Comparison,
    Request,
    by_name,
    fills_grid,
    load_inpainting_run,
)
from training.inference.export import bundle_config
from training.runs.load_run import NEWEST, LoadedRun
from training.runs.metric_logger import read_log
from training.runs.run_dir import RunDir

TIME_TOLERANCE = 0.03  # relative; a run ends between two steps
ABOUT = (
    Column("run", "run"),
    Column("changed", "changed"),
    Column("minutes", "minutes", 1),
    Column("pictures_seen", "pictures"),
)


def compare_equal_time(request: Request) -> Comparison:
    """Compare runs that each change something of the first.

    A run that changes its seed alone shows how much two runs of one recipe differ.

    Raises:
        RunError: no such measure, it could not be measured, or a run's log has no times.
    """
    if request.sort_by not in METRIC_NAMES:
        raise RunError(f"--by {request.sort_by}: it is one of {', '.join(METRIC_NAMES)}")
    changes = changes_of_runs([RunDir.open(folder) for folder in request.folders])
    runs = by_name(load_inpainting_run(f, NEWEST, *request.data) for f in request.folders)
    minutes = {name: training_minutes(run) for name, run in runs.items()}
    longest, shortest = max(minutes.values()), min(minutes.values())
    if longest - shortest > TIME_TOLERANCE * longest:
        print_stderr(f"the runs did not have equal time: {shortest:.1f} to {longest:.1f} minutes")
    base = next(iter(runs))
    judge = load_judge(as_bundle(runs[base]).config.caption_dim)
    folders = request.data or [runs[base].run.first_data_folder()]
    benchmarks = [Benchmark(folder, judge, request.count, request.seed) for folder in folders]
    figures: dict[str, Figures] = {}
    fills = {}
    for name, run in runs.items():
        figures[name] = measure_bundle(benchmarks, as_bundle(run))
        context = benchmarks[0].context
        assert context is not None
        fills[name], pictures = context.fills(TRUE_CAPTION), context.pictures
        print_stderr(f"{name}: {format_figures(figures[name])}")
    in_order = best_first(figures, request.sort_by)
    seen = {name: run.step * run.recipe.run.batch_size for name, run in runs.items()}
    changed = {name: in_words(one) for name, one in zip(runs, changes, strict=True)}
    results = {
        "order": in_order,
        "by": request.sort_by,
        "minutes": minutes,
        "steps": {name: run.step for name, run in runs.items()},
        "pictures_seen": seen,
        "changes": changed,
        "figures": figures,
        "pictures": request.count,
        "seed": request.seed,
        "definitions": {name: TARGETS[name].definition for name in METRIC_NAMES},
    }
    columns: dict[str, Mapping[str, Any]] = {
        "changed": changed,
        "minutes": minutes,
        "pictures_seen": seen,
    }
    rows = [
        {"run": name, **{key: of[name] for key, of in columns.items()}, **figures[name]}
        for name in in_order
    ]
    return Comparison(
        [*runs.values()],
        results,
        markdown_rows((*ABOUT, *METRICS), rows),
        bar_chart(METRICS, rows, base),
        {"fills": fills_grid(pictures, fills, range(request.rows), pictures.captions)},
    )


def as_bundle(run: LoadedRun) -> Bundle:
    """Make a bundle of a run, its weights in full precision; it has no digest."""
    return Bundle(generator=run.generator, config=bundle_config(run, run.name, ranks=False))


def training_minutes(run: LoadedRun) -> float:
    """Return how long a run was trained.

    Raises:
        RunError: its log, of an older version, has no times.
    """
    times = [entry["time/minutes"] for entry in read_log(run.run.folder) if "time/minutes" in entry]
    if not times:
        raise RunError(f"{run.name} does not say how long it was trained: it is an older version's")
    return times[-1]


def best_first(figures: Mapping[str, Figures], measure: str) -> list[str]:
    """Return the runs in order of a measure's mean over the sets.

    Raises:
        RunError: it could not be measured on these pictures.
    """
    if not all(measure in of_run for of_run in figures.values()):
        raise RunError(
            f"{measure} could not be measured on these pictures: order --by another measure"
        )
    column = Column(measure, measure)
    sign = 1 if TARGETS[measure].at_most else -1
    return sorted(figures, key=lambda name: sign * column.bar(figures[name])[0])
