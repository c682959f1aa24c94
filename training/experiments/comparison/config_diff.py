"""What one recipe changes of another, defaults told apart from what is only written out."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from models.discriminators import DISCRIMINATORS
from models.generators import GENERATORS
from training.config.config import Config
from training.config.load import to_table
from training.config.validation import build_meta

# What a run is called, how long it is, and what it leaves behind: none of it is another system.
BOOKKEEPING = (
    "name",
    "description",
    "run.steps",
    "run.minutes",
    "run.log_every",
    "run.sample_every",
    "run.checkpoint_every",
    "run.checkpoint_minutes",
    "run.snapshot_every",
    "engine",
    "guards",
    "keep",
)
Change = tuple[Any, Any]


def recipe_changes(base: Config, other: Config) -> dict[str, Change]:
    """Return what another recipe changes: dotted key -> value of the base and of the other.

    Settings that are not written down count with their defaults; a key that only one of them has,
    as where the kinds of network differ, is None in the other.
    """
    before, after = flat(resolved(base)), flat(resolved(other))
    return {
        key: (before.get(key), after.get(key))
        for key in {**before, **after}
        if before.get(key) != after.get(key) and not kept_aside(key)
    }


def resolved(recipe: Config) -> dict[str, Any]:
    """Return a recipe as tables with the defaults of its networks and objective filled in."""
    table = to_table(recipe)
    for name, part, registry in (
        ("generator", recipe.generator, GENERATORS),
        ("discriminator", recipe.discriminator, DISCRIMINATORS),
    ):
        table[name]["settings"] |= plain(build_meta(name, part, registry))
    table["objective"]["settings"] |= plain(recipe.build_objective())
    return table


def plain(part: Any) -> dict[str, Any]:
    """Return the settings a network or objective was built with, where it keeps them."""
    settings = getattr(part, "settings", None)
    return asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else {}


def flat(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested tables as one, with dotted keys."""
    return dict(leaves(table, above))


def leaves(table: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    """Go through nested tables, giving each value with its dotted key."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def kept_aside(key: str) -> bool:
    """Say whether a key has no part in what is trained."""
    return any(key == one or key.startswith(f"{one}.") for one in BOOKKEEPING)
