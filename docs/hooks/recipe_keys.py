"""The reference of recipes, generated from the TOML files and the docstrings of dataclasses."""

import inspect
import re
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from importlib import resources
from typing import Any

from tables import table

import models.discriminators
import models.generators
from training.config.config import ComponentConfig, Config
from training.losses.objectives import OBJECTIVES


def page() -> str:
    """Return the shipped recipes, the keys of each section, and the settings of each component."""
    return "\n".join(
        [
            "## Shipped recipes\n",
            table(("recipe", "what it trains"), shipped()),
            "## Sections and keys\n",
            *sections(Config, ""),
            "## Settings of objectives\n",
            "The keys of `objective.settings`, by `objective.kind`.\n",
            *(
                section(f"`{kind}`", found.settings_type)
                for kind, found in sorted(OBJECTIVES.items())
            ),
            "## Settings of networks\n",
            "The keys of `generator.settings` and `discriminator.settings`.\n",
            *networks(),
            "## The files\n",
            *texts(),
        ]
    )


def files() -> list[Any]:
    """Return the shipped TOML files, by name."""
    folder = resources.files("training.config") / "recipes"
    return sorted(folder.iterdir(), key=lambda file: file.name)


def shipped() -> Iterator[tuple[str, str]]:
    """Yield name and description of each shipped recipe."""
    for file in files():
        recipe = tomllib.loads(file.read_text(encoding="utf-8"))
        yield f"[`{recipe['name']}`](#{anchor(file.name)})", recipe["description"]


def anchor(name: str) -> str:
    """Return the anchor that MkDocs gives a heading of this name."""
    return name.replace(".", "")


def texts() -> Iterator[str]:
    """Yield the section of each file, with its text."""
    for file in files():
        yield f"### {file.name}\n\n```toml\n{file.read_text(encoding='utf-8').strip()}\n```\n"


def sections(kind: Any, name: str) -> Iterator[str]:
    """Yield a section for a dataclass of the recipe and for each one below it."""
    if name:
        yield section(f"`[{name}]`", kind)
    for field in fields(kind):
        if is_dataclass(field.type) and field.type is not ComponentConfig:
            yield from sections(field.type, f"{name}.{field.name}".lstrip("."))


def networks() -> Iterator[str]:
    """Yield a section for the settings of each network that a recipe may name."""
    for package in (models.generators, models.discriminators):
        for kind in vars(package).values():
            if inspect.isclass(kind) and is_dataclass(kind):
                yield section(f"`{kind.__name__}`", kind, kind.__module__)


def section(title: str, kind: Any, module: str = "") -> str:
    """Return a heading, the first line of the docstring, and a table of the fields."""
    documentation = inspect.getdoc(kind) or ""
    meanings = {
        name: meaning
        for base in reversed(kind.__mro__)
        for name, meaning in attributes(inspect.getdoc(base) or "").items()
    }
    rows = [
        (f"`{field.name}`", default(field), meanings.get(field.name, ""))
        for field in fields(kind)
        if not is_dataclass(field.type)
    ]
    where = f" (`{module.replace('.', '/')}.py`)" if module else ""
    summary = documentation.split("\n\n")[0].replace("\n", " ")
    keys = table(("key", "default", "meaning"), rows) if rows else ""
    return f"### {title}\n\n{summary}{where}\n\n{keys}"


def attributes(documentation: str) -> dict[str, str]:
    """Return the section `Attributes:` of a docstring, by name."""
    _, _, text = documentation.partition("Attributes:\n")
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := re.match(r" {4}(\w+): (.*)", line):
            name = match[1]
            found[name] = match[2]
        elif found and line.startswith(" " * 8):
            found[name] += " " + line.strip()
        elif line.strip():
            break
    return found


def default(field: Any) -> str:
    """Return the default of a field; pydantic's dataclasses keep theirs in a Field."""
    value = getattr(field.default, "default", field.default)
    return "" if value is MISSING or "Undefined" in repr(value) else f"`{value}`"
