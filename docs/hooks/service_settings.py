"""The reference of the service's settings, generated from `service.config.settings.Settings`."""

import os
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from tables import table

from service.config.environment import RENAMED
from service.config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def page() -> str:
    """Return a table of all settings, and one of their former names."""
    rows = [
        (variables(name, field), default(field.default), type_name(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    former = [(f"`CAPTIONFILL_{old}`", f"`CAPTIONFILL_{new}`") for old, new in RENAMED.items()]
    return (
        table(("variable", "default", "type", "meaning"), rows)
        + "\n## Former names\n\nStill read, with a warning in the log.\n\n"
        + table(("former", "now"), former)
    )


def variables(name: str, field: FieldInfo) -> str:
    """Return the environment variables that set a field."""
    alias = field.validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [f"CAPTIONFILL_{name.upper()}"]
    return ", ".join(f"`{one}`" for one in names)


def default(value: Any) -> str:
    """Return a default as one writes it; secrets, empty values and paths of this machine aside."""
    if value is PydanticUndefined or isinstance(value, SecretStr) or value in (None, "", ()):
        return ""
    if isinstance(value, Path):
        return f"`{os.path.relpath(value, ROOT) if value.is_absolute() else value}`"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 10_000:
        return f"{value:,}"
    return f"`{value}`"


def type_name(field: FieldInfo) -> str:
    """Return the type in words."""
    text = str(field.annotation)
    if text.startswith("typing.Literal"):
        return "one of " + text.removeprefix("typing.Literal").strip("[]")
    words = {"bool": "true or false", "float": "number", "int": "whole number", "Path": "path"}
    for kind, word in words.items():
        if kind in text and "dict" not in text and "tuple" not in text:
            return word
    return "list" if "tuple" in text else "JSON object" if "dict" in text else "text"
