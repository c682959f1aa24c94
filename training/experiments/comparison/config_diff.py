"""The keys that one recipe changes of another, defaults included."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from training.common.console import print_stderr
from training.common.errors import RunError
from training.config.config import Config
from training.config.load import to_table
from training.config.validation import build_meta
from training.runs.run_dir import RunDir

# Name, length and output of a run: they do not change what is trained.
BOOKKEEPING = (
    *("name", "description", "engine", "guards", "keep", "run.steps", "run.minutes"),
    *("run.log_every", "run.sample_every", "run.snapshot_every"),
    *("run.checkpoint_every", "run.checkpoint_minutes"),
)
Change = tuple[Any, Any]


def recipe_changes(
    base: Config, other: Config, ignored: Sequence[str] = BOOKKEEPING
) -> dict[str, Change]:
    """Return the keys that another recipe changes, with the value of the base and of the other.

    Settings that are not written down count with their defaults. A key that only one recipe has,
    because the kinds of network differ, is None in the other. `ignored` are dotted keys, and
    tables with all that is in them, that do not count.
    """
    before, after = flatten(resolve(base)), flatten(resolve(other))
    return {
        key: (before.get(key), after.get(key))
        for key in {**before, **after}
        if before.get(key) != after.get(key) and not is_below(key, ignored)
    }


def resolve(recipe: Config) -> dict[str, Any]:
    """Return a recipe as tables with the defaults of its networks and objective filled in."""
    table = to_table(recipe)
    built = {
        "generator": build_meta("generator", recipe.generator),
        "discriminator": build_meta("discriminator", recipe.discriminator),
        "objective": recipe.build_objective(),
    }
    for name, component in built.items():
        settings = getattr(component, "settings", None)
        if is_dataclass(settings) and not isinstance(settings, type):
            table[name]["settings"] |= asdict(settings)
    return table


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def is_below(key: str, tables: Sequence[str]) -> bool:
    """Return whether a key is one of some keys, or is in one of these tables."""
    return any(key == table or key.startswith(f"{table}.") for table in tables)


def changes_of_runs(runs: Sequence[RunDir]) -> list[dict[str, Change]]:
    """Return and print what each run's recipe changes of the first run's.

    Raises:
        RunError: one changes nothing, or was trained on other data.
    """
    base, *others = runs
    found: list[dict[str, Change]] = [{}]
    for run in others:
        name = run.folder.resolve().name
        if sorted(run.data.values()) != sorted(base.data.values()):
            raise RunError(f"{name} was trained on other data than {base.folder.resolve().name}")
        found.append(recipe_changes(base.recipe, run.recipe))
        if not found[-1]:
            raise RunError(f"{name}: its recipe changes nothing of the base's")
        print_stderr(f"{name}: {in_words(found[-1])}")
    return found


def in_words(changes: Mapping[str, Change]) -> str:
    """Return changes in a line: `generator.settings.output: clip → tanh`."""
    return "; ".join(f"{key}: {old} → {new}" for key, (old, new) in changes.items()) or "–"
