"""`captionfill-train recipes`: list, show and copy the shipped recipes."""

import pytest

from training.cli.main import app
from training.common.errors import OutputError, RecipeError
from training.config.load import load_recipe, recipe_text, shipped_recipes


def run(*arguments):
    app(["recipes", *map(str, arguments)], standalone_mode=False)


def test_list_names_and_describes_every_recipe(capsys):
    run("list")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == shipped_recipes() and len(lines) > 10
    assert all(len(line.split()) > 3 for line in lines)


def test_show_prints_the_file(capsys):
    run("show", "flagship")
    assert capsys.readouterr().out == recipe_text("flagship")


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_copy_loads_as_the_recipe(name, tmp_path):
    run("copy", name, tmp_path / "mine.toml")
    assert load_recipe(str(tmp_path / "mine.toml")) == load_recipe(name)


def test_a_copy_has_the_recipes_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run("copy", "began")
    assert capsys.readouterr().out == "began.toml\n"
    assert (tmp_path / "began.toml").read_text() == recipe_text("began")


def test_an_existing_file_is_not_replaced(tmp_path):
    (tmp_path / "mine.toml").write_text("mine")
    with pytest.raises(OutputError, match=r"mine\.toml exists already"):
        run("copy", "began", tmp_path / "mine.toml")
    assert (tmp_path / "mine.toml").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        run("copy", "began", tmp_path / "file" / "mine.toml")


@pytest.mark.parametrize("command", ["show", "copy"])
def test_an_unknown_recipe_is_named(command):
    with pytest.raises(RecipeError, match="no recipe 'papyrus'; there are began"):
        run(command, "papyrus")
