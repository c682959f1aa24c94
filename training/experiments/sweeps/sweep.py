"""Runs that differ in one setting of their objective alone, in the order of that setting."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from training.common.console import print_stderr
from training.common.errors import RunError
from training.config.config import Config
from training.config.load import to_table
from training.data.batches import Batch
from training.evaluation.run_quality import Generated
from training.losses.objectives import find_objective
from training.runs.load_run import LoadedRun, load_run, moved_to

# What runs may differ in besides: names, and what leaves every step as it is.
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
        batch: pictures that it was not trained on; every run's own are the same.
        made: what its generator made of them.
    """

    value: float
    loaded: LoadedRun
    batch: Batch
    made: Generated


def load_sweep(
    folders: Sequence[Path],
    kind: str,
    setting: str,
    draw: Callable[[LoadedRun], tuple[Batch, Generated]],
    data: Path | None = None,
) -> list[SweepPoint]:
    """Load runs of one objective that differ in one of its settings and their seed alone.

    Where they did not all get as far, that is said in one line: a guard that stopped one of them
    is something to see, not a reason to show nothing.

    Args:
        folders: run directories.
        kind: of the objective, as recipes call it.
        setting: of the objective, a number.
        draw: pictures for a run, and what it makes of them.
        data: where the data of runs of older versions may have moved to.

    Returns:
        The runs, the smallest value first.

    Raises:
        RunError: a run is of another objective, there are fewer than two values, or the runs
            differ in more; the message says in what.
    """
    runs = [load_run(folder, data=moved_to(data)) for folder in folders]
    for run in runs:
        found = run.recipe.objective.kind
        if found != kind:
            raise RunError(f"{run.name} was trained with the objective {found!r}, not {kind!r}")
    for run in runs[1:]:
        check_alike(runs[0], run, f"objective.settings.{setting}")
    values = [float(resolved(run)["objective"]["settings"][setting]) for run in runs]
    if len(set(values)) < 2:
        raise RunError(f"a sweep needs runs of at least two values of {setting}")
    if len({run.step for run in runs}) > 1:
        steps = ", ".join(f"{run.name} {run.step}" for run in runs)
        print_stderr(f"the runs are not equally long trained: {steps}")
    order = sorted(zip(values, runs, strict=True), key=lambda pair: (pair[0], pair[1].name))
    return [SweepPoint(value, run, *draw(run)) for value, run in order]


def strips_of(sweep: Sequence[SweepPoint], symbol: str) -> dict[str, Tensor]:
    """Return every run's pictures by what to call them, the real ones last."""
    made = {
        f"{symbol} {swept.value:g}: {swept.loaded.name}, step {swept.loaded.step:,}": (
            swept.made.pictures
        )
        for swept in sweep
    }
    return made | {"held-out real pictures": sweep[0].made.reals}


def check_alike(first: LoadedRun, second: LoadedRun, setting: str) -> None:
    """Refuse two runs that differ in anything but a setting and what leaves a step as it is.

    Raises:
        RunError: says in what they differ.
    """
    ours, theirs = (flat(resolved(run)) for run in (first, second))
    keys = [
        key
        for key in sorted(ours.keys() | theirs.keys())
        if key != setting and not is_free(key) and ours.get(key) != theirs.get(key)
    ]
    differing = [f"{key} ({ours.get(key)} and {theirs.get(key)})" for key in keys]
    if [*first.run.data.values()] != [*second.run.data.values()]:
        differing.append("the data")
    if differing:
        raise RunError(
            f"{first.name} and {second.name} differ in more than {setting}: {', '.join(differing)}"
        )


def resolved(run: LoadedRun) -> dict[str, Any]:
    """Return a run's recipe as tables, with the defaults of networks and objective written out."""
    recipe: Config = run.recipe
    settings = find_objective(recipe.objective.kind).settings_type(**recipe.objective.settings)
    table = to_table(recipe)
    table["objective"]["settings"] = asdict(settings)
    for player in ("generator", "discriminator"):
        table[player]["settings"] = asdict(getattr(run, player).settings)
    return table


def flat(table: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested tables as one, with dotted keys."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        key = f"{above}{name}"
        found |= flat(value, f"{key}.") if isinstance(value, dict) else {key: value}
    return found


def is_free(key: str) -> bool:
    """Say whether runs of a sweep may differ in a key."""
    return any(key == free or key.startswith(f"{free}.") for free in FREE)
