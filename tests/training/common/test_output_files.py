"""Results that cannot be written are found before any work, by every command that writes some."""

import errno
import os
import sys
from inspect import signature
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest

import training.cli
from tests.helpers.errors import raise_disk_full
from training.cli import main
from training.common.errors import OutputError
from training.common.output_files import check_output, check_output_folder, write_atomically
from training.experiments import EXPERIMENTS


@pytest.fixture
def place(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", ["folder", "file/x", "file/below/x", "/proc/none/x", "n" * 300])
def test_what_cannot_be_written_is_told(place, name):
    with pytest.raises(OutputError, match="cannot be written: "):
        check_output(place / name)


@pytest.mark.parametrize("name", ["file", "new", "deep/down/new", "link"])
def test_writable_path_is_left_unchanged(place, name):
    (place / "link").symlink_to(place / "dangling")
    before = sorted(place.rglob("*"))
    check_output(place / name)
    assert sorted(place.rglob("*")) == before
    assert (place / "file").read_text() == "in the way"


@pytest.mark.parametrize("name", ["file", "file/x", "/proc/none/x"])
def test_a_folder_that_cannot_be_made_is_told(place, name):
    with pytest.raises(OutputError, match="cannot be written: "):
        check_output_folder(place / name)


def test_file_is_replaced_whole_or_not_at_all(place):
    with pytest.raises(UnicodeEncodeError):
        write_atomically(place / "file", "half \ud800")
    assert (place / "file").read_text() == "in the way"
    assert sorted(p.name for p in place.iterdir()) == ["file", "folder"]


def test_a_written_file_keeps_its_mode_and_links(place):
    (place / "file").chmod(0o640)
    (place / "link").symlink_to(place / "file")
    write_atomically(place / "link", b"new")
    assert (place / "file").read_text() == "new" and (place / "link").is_symlink()
    assert (place / "file").stat().st_mode & 0o777 == 0o640


def test_target_that_cannot_be_renamed_onto_is_overwritten(place, monkeypatch):
    def busy(self, target):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    write_atomically(place / "file", "new")
    assert (place / "file").read_text() == "new"
    assert sorted(p.name for p in place.iterdir()) == ["file", "folder"]


def test_a_full_disk_leaves_the_older_file(place, monkeypatch):
    monkeypatch.setattr(os, "fsync", raise_disk_full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(place / "file", "new")
    assert (place / "file").read_text() == "in the way"
    assert sorted(p.name for p in place.iterdir()) == ["file", "folder"]


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command line; returns its status and the lines on stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["captionfill-train", *map(str, arguments)])
        monkeypatch.setattr(training.cli.signal, "signal", lambda *_: None)
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


COMMANDS = [one.callback for one in training.cli.app.registered_commands]


@pytest.mark.parametrize(
    "functions", [COMMANDS, [*EXPERIMENTS.values()]], ids=["own", "experiment"]
)
def test_every_number_option_has_a_minimum(functions):
    found = [number for function in functions for number in numbers(function)]
    assert len(found) > 8
    assert [number for number in found if number[2] is None] == []


def test_a_pipe_behind_dev_stdout_is_an_output():
    reading, writing = os.pipe()
    place = Path(f"/dev/fd/{writing}")
    check_output(place)
    write_atomically(place, b"content")
    assert os.read(reading, 100) == b"content"
    os.close(reading)
    os.close(writing)
