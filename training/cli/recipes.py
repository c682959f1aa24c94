"""`captionfill-train recipes`: list, show and copy the shipped recipes."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument

app = typer.Typer(no_args_is_help=True, help="List, show or copy the shipped recipes.")


@app.command("list")
def list_recipes() -> None:
    """Print the shipped recipes, each with its description."""
    from training.config.load import load_recipe, shipped_recipes

    names = shipped_recipes()
    width = max(map(len, names))
    for name in names:
        typer.echo(f"{name:{width}}  {load_recipe(name).description}")


@app.command("show")
def show_recipe(name: Annotated[str, Argument(help="Name of a shipped recipe.")]) -> None:
    """Print a recipe as TOML, with its comments. Values that it leaves out have their defaults."""
    from training.config.load import shipped_text

    typer.echo(shipped_text(name), nl=False)


@app.command("copy")
def copy_recipe(
    name: Annotated[str, Argument(help="Name of a shipped recipe.")],
    out: Annotated[Path | None, Argument(help="TOML file to write; NAME.toml by default.")] = None,
) -> None:
    """Write a recipe to a file, to change it and to train it. An existing file is not replaced."""
    from captionfill.output_files import write_atomically
    from training.common.errors import OutputError
    from training.common.output_files import check_output
    from training.config.load import shipped_text

    text, place = shipped_text(name), out or Path(f"{name}.toml")
    check_output(place)
    if place.exists():
        raise OutputError(f"{place} exists already: choose another name")
    write_atomically(place, text)
    typer.echo(place)
