"""Read recipes: TOML and overrides to validated dataclasses, and back to plain tables."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from training.common.errors import RecipeError
from training.config.config import Config
from training.config.renamed import upgrade
from training.config.validation import validate

RECIPES = resources.files("training.config") / "recipes"


def load_recipe(name: str, overrides: list[str] | None = None) -> Config:
    """Read a shipped recipe or a TOML file, and apply the overrides `section.key=value`.

    Raises:
        RecipeError: not found, not TOML, or a value is unknown or out of range.
    """
    try:
        table = tomllib.loads(recipe_text(name))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe {name}: not TOML: {error}") from error
    return parse_config(apply_overrides(table, overrides or []))


def parse_config(table: dict[str, Any]) -> Config:
    """Validate a recipe given as plain tables; raise `RecipeError`, which names the wrong key."""
    try:
        recipe = TypeAdapter(Config).validate_python(upgrade(table))
        validate(recipe)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise RecipeError(f"{where}: {first['msg']}{suggestion(where)}") from error
    except (TypeError, ValueError) as error:
        raise RecipeError(f"recipe: {error}") from error
    return recipe


def to_table(recipe: Config) -> dict[str, Any]:
    """Return the resolved recipe as plain tables; `parse_config` takes them back."""
    return asdict(recipe)


def recipe_text(name: str) -> str:
    """Return a recipe's TOML: a path first, then the shipped ones."""
    return (
        Path(name).read_text(encoding="utf-8-sig") if Path(name).is_file() else shipped_text(name)
    )


def shipped_text(name: str) -> str:
    """Return the TOML of a shipped recipe, with its comments."""
    if name not in shipped_recipes():
        raise RecipeError(f"no recipe {name!r}; there are {', '.join(shipped_recipes())}")
    return (RECIPES / f"{name}.toml").read_text(encoding="utf-8-sig")


def shipped_recipes() -> list[str]:
    """Return the names of the shipped recipes."""
    return sorted(place.name.removesuffix(".toml") for place in RECIPES.iterdir())


def apply_overrides(table: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Apply `section.key=value` pairs to a copy of the tables; values are TOML, or else text.

    Raises:
        RecipeError: a pair has no `=` or an empty key, or a parent of the key is not a table.
    """
    for pair in overrides:
        path, equals, text = pair.partition("=")
        if not equals or not all(path.strip().split(".")):
            raise RecipeError(f"--set {pair}: expected key=value")
        *parents, key = path.strip().split(".")
        table = {**table}
        inner = table
        for parent in parents:
            below = inner.get(parent, {})
            if not isinstance(below, dict):
                raise RecipeError(f"--set {pair}: {parent} is not a table")
            inner[parent] = {**below}
            inner = inner[parent]
        try:
            inner[key] = tomllib.loads(f"value = {text.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            inner[key] = text.strip()
    return table


def suggestion(where: str) -> str:
    """Return " (did you mean …?)" for a mistyped key or one without its section."""
    *parents, key = where.split(".")
    names = field_names(Config, parents)
    if key in names:
        return ""
    close = difflib.get_close_matches(key, names, n=1) or [
        f"{section}.{key}"
        for section in field_names(Config, [])
        if not parents and key in field_names(Config, [section])
    ]
    return f" (did you mean {close[0]}?)" if close else ""


def field_names(kind: Any, parents: list[str]) -> list[str]:
    """Return the names of a dataclass's fields, or those of a field below it."""
    for parent in parents:
        found = getattr(kind, "__dataclass_fields__", {}).get(parent)
        kind = found.type if found is not None else None
    return list(getattr(kind, "__dataclass_fields__", {}))
