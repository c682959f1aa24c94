"""Loads runs that differ in one setting of their objective alone, ordered by that setting."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from training.common.console import print_stderr
from training.common.errors import RunError
from training.data.batches import Batch
from training.evaluation.run_quality import Generated
from training.experiments.comparison.config_diff import flatten, recipe_changes, resolve
from training.runs.load_run import LoadedRun, load_run, moved_to

# What the runs of a sweep may differ in besides: none of it changes a step of training.
FREE = (
    *("name", "description", "keep", "guards", "run.seed"),
    *("run.log_every", "run.sample_every", "run.snapshot_every"),
    *("run.checkpoint_every", "run.checkpoint_minutes", "run.minutes"),
    *("engine.device", "engine.threads", "engine.compile", "engine.channels_last"),
)


class SweepPoint(NamedTuple):
    """A run of a sweep.

    Attributes:
        value: of the setting.
        loaded: the run.
        batch: pictures that it was not trained on, the same for every run.
        generated: the images that its generator made for them.
    """

    value: float
    loaded: LoadedRun
    batch: Batch
    generated: Generated


def load_sweep(
    folders: Sequence[Path],
    kind: str,
    setting: str,
    draw: Callable[[LoadedRun], tuple[Batch, Generated]],
    data: Path | None = None,
) -> list[SweepPoint]:
    """Load runs of one objective that differ in one of its settings and their seed alone.

    The smallest value is first. Runs of different length are accepted with a warning, because a
    monitor may have stopped one.

    Args:
        folders: run directories.
        kind: of the objective, as recipes call it.
        setting: of the objective, a number.
        draw: draws pictures for a run, and generates as many.
        data: folder to which the data of runs of older versions may have moved.

    Raises:
        RunError: a run is of another objective, there are fewer than two values, or the runs
            differ in more; the message says in what.
    """
    runs = [load_run(folder, data=moved_to(data)) for folder in folders]
    for run in runs:
        found = run.recipe.objective.kind
        if found != kind:
            raise RunError(f"{run.name} was trained with the objective {found!r}, not {kind!r}")
    key = f"objective.settings.{setting}"
    for run in runs[1:]:
        check_alike(runs[0], run, key)
    values = [float(flatten(resolve(run.recipe))[key]) for run in runs]
    if len(set(values)) < 2:
        raise RunError(f"a sweep needs runs of at least two values of {setting}")
    if len({run.step for run in runs}) > 1:
        steps = ", ".join(f"{run.name} {run.step}" for run in runs)
        print_stderr(f"the runs are not equally long trained: {steps}")
    order = sorted(zip(values, runs, strict=True), key=lambda pair: (pair[0], pair[1].name))
    return [SweepPoint(value, run, *draw(run)) for value, run in order]


def check_alike(first: LoadedRun, second: LoadedRun, setting: str) -> None:
    """Refuse two runs that differ in anything but a setting and the keys of `FREE`."""
    changes = recipe_changes(first.recipe, second.recipe, ignored=(*FREE, setting))
    differing = [f"{key} ({old} and {new})" for key, (old, new) in sorted(changes.items())]
    if [*first.run.data.values()] != [*second.run.data.values()]:
        differing.append("the data")
    if differing:
        raise RunError(
            f"{first.name} and {second.name} differ in more than {setting}: {', '.join(differing)}"
        )


def sweep_strips(sweep: Sequence[SweepPoint], symbol: str) -> dict[str, Tensor]:
    """Return every run's pictures by their title, the real ones last."""
    titles = (f"{symbol} {p.value:g}: {p.loaded.name}, step {p.loaded.step:,}" for p in sweep)
    strips = {title: p.generated.pictures for title, p in zip(titles, sweep, strict=True)}
    return strips | {"held-out real pictures": sweep[0].generated.reals}
