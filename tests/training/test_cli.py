"""The command line: help worth reading, errors of one line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training.cli.main import main


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "training.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_names_every_command_without_loading_torch():
    code = "import sys, training.cli.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    text = run("--help").stdout
    commands = ["prepare", "train", "resume", "evaluate", "sample", "experiment"]
    commands += ["export", "report"]
    assert [command for command in commands if command not in text] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "no-such", "--data", "x", "--run", "y"], "no recipe 'no-such'"),
        (["train", "inpaint-gan", "--data", "x", "--run", "y"], "no prepared data there"),
        (["resume", "nowhere"], "no run in nowhere"),
        (["export", "nowhere", "b"], "no run in nowhere"),
        (["report", "nowhere", "-o", "page.html"], "no run in nowhere"),
        (["prepare", "folder", "nowhere", "out"], "nowhere"),
    ],
)
def test_user_error_is_one_line_without_traceback(arguments, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["captionfill-train", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the tests keep theirs
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert says in line


@pytest.mark.slow
def test_error_of_a_process_is_one_line_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    done = run("export", "nowhere", "b")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "no run in nowhere" in line


def test_a_wrong_use_exits_with_2(tmp_path):
    assert run("prepare", "nonsense", "a", "b").returncode == 2
