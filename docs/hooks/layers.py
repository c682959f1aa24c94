"""The layers of each package, generated from import-linter's contracts in pyproject.toml."""

import tomllib
from pathlib import Path

from tables import table

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def page() -> str:
    """Return a table of packages and their layers, from top to bottom."""
    contracts = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]
    rows = [
        (f"`{package}`", ", ".join(map(layer, contract["layers"])))
        for contract in contracts["contracts"]
        for package in contract.get("containers", ())
    ]
    return table(("package", "layers, from top to bottom"), rows)


def layer(names: str) -> str:
    """Return one layer: a module, or several that do not import each other."""
    modules = [f"`{name.strip()}`" for name in names.split("|")]
    return modules[0] if len(modules) == 1 else f"({' '.join(modules)})"
