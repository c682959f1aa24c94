"""The reference of the command lines, generated from their typer applications."""

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer
from tables import table

from service.cli.main import app as service_app
from training.cli.main import app as training_app
from training.experiments import app as experiments


def service() -> str:
    """Return the sections of `captionfill`."""
    return page("captionfill", service_app)


def training() -> str:
    """Return the sections of `captionfill-train`."""
    # The group of experiments is loaded by its command, and so listed here by itself.
    return page("captionfill-train", training_app) + page(
        "captionfill-train experiment", experiments()
    )


def page(name: str, app: typer.Typer) -> str:
    """Return a section for each command of an application."""
    command = typer.main.get_command(app)
    return "\n".join(sections(command, typer.Context(command, info_name=name)))


def sections(command: Any, context: typer.Context) -> Iterator[str]:
    """Yield the section of a command, or those of its sub-commands."""
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            sub = command.get_command(context, name)
            if sub.hidden:  # a former name
                continue
            yield from sections(sub, typer.Context(sub, info_name=name, parent=context))
        return
    path = context.command_path
    usage = re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), command.get_usage(context))
    yield f"## {path}\n\n```\n{usage.removeprefix('Usage: ')}\n```\n"
    yield inspect.cleandoc(command.help or "").replace("\f", "") + "\n"
    hints = get_type_hints(command.callback)
    rows = [row(parameter, context, hints) for parameter in command.params]
    if rows:
        yield table(("argument or option", "default", "meaning"), rows)


def row(parameter: Any, context: typer.Context, hints: dict[str, Any]) -> tuple[str, str, str]:
    """Return the row of an argument or option; `hints` are the types of the command's function."""
    option = parameter.param_type_name == "option"
    names = (*parameter.opts, *parameter.secondary_opts) if option else (parameter.name.upper(),)
    value = parameter.get_default(context, call=False)
    default = "" if value is None or value is False or callable(value) else f"`{value}`"
    meaning = parameter.help or ""
    if choices := values(hints.get(parameter.name)):
        meaning += " One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
    shown = ", ".join(f"`{name}`" for name in names)
    return shown, "required" if parameter.required else default, meaning


def values(kind: Any) -> list[str]:
    """Return the values of an enumeration or of a Literal; nothing for other types."""
    if inspect.isclass(kind) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    return [value for option in get_args(kind) for value in values(option)]
