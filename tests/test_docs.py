"""What the documentation names exists: paths, modules, commands, options, settings, recipe keys."""

import re
from pathlib import Path

import pytest
import typer
from PIL import Image

from service.cli.main import app as service_app
from service.config.settings import Settings
from training.cli.main import app as training_app
from training.common.errors import RecipeError
from training.config.load import load_recipe
from training.experiments import app as experiments

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PACKAGES = ("captionfill", "models", "training", "service", "docker", "docs", "tests")
# Written by commands, and notes of runs that used the names of their time.
WRITTEN = {*(DOCS / "results" / "flagship").glob("*.md"), *(DOCS / "results").glob("*/*.md")}
HISTORY = {DOCS / "results" / name for name in ("diary.md", "nine-systems.md", "systems.md")}
PAGES = sorted({ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")} - WRITTEN)
CURRENT = [page for page in PAGES if page not in HISTORY]
RECIPES = ("flagship", "inpaint-gan", "inpaint-began")
FOREIGN = {"CAPTIONFILL_DATA"}  # of the tests

over_pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
over_current = pytest.mark.parametrize("page", CURRENT, ids=lambda page: page.name)


def text_of(page):
    return page.read_text(encoding="utf-8")


def code_of(page):
    """The code spans and blocks of a page, continued lines joined."""
    text = text_of(page)
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return [line for part in blocks + spans for line in part.replace("\\\n", " ").splitlines()]


@over_pages
def test_named_paths_exist(page):
    named = re.findall(rf"`((?:{'|'.join(PACKAGES)})/[\w./*-]*)(?:::\w+)?`", text_of(page))
    assert [path for path in named if not any(ROOT.glob(path.rstrip("/")))] == []


@over_pages
def test_named_modules_exist(page):
    named = re.findall(rf"-m ((?:{'|'.join(PACKAGES)})\.[\w.]+)", text_of(page))
    files = [(ROOT / name.replace(".", "/")) for name in named]
    assert [
        file for file in files if not (file.is_dir() or file.with_suffix(".py").is_file())
    ] == []


def commands(app, path=()):
    """Every command of an application with its options; None where options are not looked at."""
    command = typer.main.get_command(app) if isinstance(app, typer.Typer) else app
    if hasattr(command, "list_commands"):
        yield " ".join(path), None
        context = typer.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name))
    else:
        options = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
        # The group of experiments reads its own arguments.
        yield " ".join(path), options | {"--help"} if command.params else None


COMMANDS = {
    "captionfill": dict(commands(service_app)),
    "captionfill-train": dict(commands(training_app))
    | dict(commands(experiments(), ("experiment",))),
}


def wrong_commands(line):
    for name, rest in re.findall(r"(?<!from )\b(captionfill(?:-train)?) ([a-z][^|#;)]*)", line):
        known = COMMANDS[name]
        matches = [command for command in known if command and f"{rest} ".startswith(f"{command} ")]
        command = max(matches, key=len, default="")
        options = re.findall(r"(?<=\s)--[a-z][a-z-]+", rest)
        unknown = set(options) - known[command] if known[command] is not None else set()
        if not command or unknown:
            yield f"{name} {rest}: {unknown or 'no such command'}"


@over_current
def test_named_commands_and_options_exist(page):
    assert [wrong for line in code_of(page) for wrong in wrong_commands(line)] == []


@over_current
def test_named_make_targets_exist(page):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = [name for line in code_of(page) for name in re.findall(r"(?:^|\s)make ([a-z-]+)", line)]
    assert set(named) <= set(targets)


@over_current
def test_named_settings_exist(page):
    known = {f"CAPTIONFILL_{name.upper()}" for name in Settings.model_fields} | FOREIGN
    assert set(re.findall(r"\bCAPTIONFILL_[A-Z_]*[A-Z]\b", text_of(page))) <= known


def accepted(pair):
    for recipe in RECIPES:
        try:
            load_recipe(recipe, [pair])
        except RecipeError:
            continue
        return True
    return False


@over_current
def test_named_recipe_keys_exist(page):
    pairs = re.findall(r"--set ([a-z_]+\.[\w.]+=[\w.-]+)", text_of(page))
    assert [pair for pair in pairs if not accepted(pair)] == []


def test_every_package_has_a_row():
    """The table of where to change what covers the packages."""
    table = text_of(DOCS / "development.md").split("## Where to change what")[1]
    named = re.findall(r"`((?:captionfill|models|service|training)/\w+)", table)
    folders = {
        str(folder.relative_to(ROOT))
        for package in ("models", "service", "training")
        for folder in (ROOT / package).iterdir()
        if (folder / "__init__.py").is_file()
    }
    assert folders - set(named) == set()


def test_figures_are_webp_of_moderate_size():
    assert list(DOCS.rglob("*.png")) == []
    figures = list(DOCS.rglob("*.webp"))
    assert len(figures) > 30
    for figure in figures:
        with Image.open(figure) as image:
            assert image.width <= 1600 and figure.stat().st_size < 800_000, figure
