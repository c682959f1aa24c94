"""Results that cannot be written are found before any work, by every command that writes some."""

import sys
from inspect import signature
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest

import training.cli.main
from training.cli.main import main
from training.common.errors import OutputError
from training.experiments import EXPERIMENTS


@pytest.fixture
def place(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command line; returns its status and the lines on stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["captionfill-train", *map(str, arguments)])
        monkeypatch.setattr(training.cli.main.signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err.splitlines()

    return run


@pytest.mark.parametrize(
    ("arguments", "blocked"),
    [
        (["scorer", "plain", "--data", "none", "-o"], "folder"),
        (["evaluate", "none", "--data", "none", "--json"], "file/x.json"),
        (["sample", "none", "--data", "none", "-o"], "folder"),
        (["report", "none", "-o"], "folder"),
        (["train", "inpaint-gan", "--data", "none", "--run"], "file"),
        (["export", "none"], "file"),
    ],
)
def test_every_command_checks_its_output_first(place, command, arguments, blocked):
    status, lines = command(*arguments, place / blocked)
    assert status == 1
    [line] = lines
    assert "cannot be written: " in line or arguments[0] == "export"


@pytest.mark.parametrize("suffix", ["md", "png"])
def test_evaluate_checks_what_goes_beside_its_result(place, command, suffix):
    (place / f"out.{suffix}").mkdir()
    _, lines = command("evaluate", "none", "--data", "none", "--json", place / "out.json")
    assert "cannot be written: Is a directory" in lines[0]


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_every_experiment_checks_its_output_first(place, name):
    needed = [
        parameter
        for parameter in signature(EXPERIMENTS[name]).parameters.values()
        if parameter.default is parameter.empty and parameter.name != "out"
    ]
    arguments = {parameter.name: place / "none" for parameter in needed}
    with pytest.raises(OutputError, match="cannot be written: "):
        EXPERIMENTS[name](**arguments, out=place / "file" / "out.json")


OUT_OF_RANGE = [
    ("prepare folder a b --limit", -1),
    ("prepare folder a b --limit", 0),
    ("prepare folder a b --size", 31),
    ("prepare folder a b --shard-images", 0),
    ("export a b --guidance", -1),
    ("export a b --temperature", -1),
    ("scorer plain --data a -o b --steps", 0),
    ("scorer plain --data a -o b --seed", -1),
    ("evaluate a --data b --json c.json --limit", 0),
    ("evaluate a --data b --json c.json --limit", -1),
    ("evaluate a --data b --json c.json --seed", -1),
    ("sample a --data b -o c --rows", 0),
    ("sample a --data b -o c --seed", -1),
    ("sample a --data b -o c --temperature", 2),
    ("sample a --data b -o c --seed", 2**32),
]


@pytest.mark.parametrize(("arguments", "value"), OUT_OF_RANGE)
def test_number_out_of_range_is_a_usage_error(command, arguments, value):
    status, lines = command(*arguments.split(), value)
    assert status == 2
    assert f"Invalid value for '{arguments.split()[-1]}'" in "\n".join(lines)


def is_number(kind):
    """Whether a type is a number, or one that may be None or be repeated."""
    return kind in (int, float) or any(map(is_number, get_args(kind)))


def numbers(function):
    """Find the numeric options of a command: its name, the option's, and the least value."""
    for name, hint in get_type_hints(function, include_extras=True).items():
        inner = [hint, *get_args(hint)]  # an Annotated that may be None is nested
        for kind in (one for one in inner if get_origin(one) is Annotated):
            base, info = get_args(kind)[:2]
            if is_number(base):
                yield function.__name__, name, info.min


COMMANDS = [one.callback for one in training.cli.main.app.registered_commands]


@pytest.mark.parametrize(
    "functions", [COMMANDS, [*EXPERIMENTS.values()]], ids=["own", "experiment"]
)
def test_every_number_option_has_a_minimum(functions):
    found = [number for function in functions for number in numbers(function)]
    assert len(found) > 8
    assert [number for number in found if number[2] is None] == []
