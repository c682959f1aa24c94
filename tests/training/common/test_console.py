"""Progress of long work on a terminal and in a log."""

import io

from training.common.console import losses, stage_progress, step_progress

METRICS = {
    "generator/l2": 0.25,
    "generator/adversarial": 1.0,
    "discriminator/real": 0.5,
    "time/minutes": 3.0,
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal(monkeypatch):
    """Put a wide terminal in the place of standard error."""
    for name, value in {"COLUMNS": "160", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    return screen


def test_losses_are_the_sums_of_terms():
    assert losses(METRICS) == "generator 1.25, discriminator 0.5"
    assert losses({"time/minutes": 3.0}) == ""


def test_the_bar_shows_the_losses(monkeypatch):
    screen = terminal(monkeypatch)
    with step_progress(2) as progress:
        progress(1, METRICS)
        progress(2, METRICS)
    assert "training generator 1.25, discriminator 0.5" in screen.getvalue()
    assert "2/2" in screen.getvalue()


def test_lines_of_a_log_show_the_losses(capsys):
    with step_progress(2) as progress:
        progress(2, METRICS)
    assert capsys.readouterr().err == "training: 2 of 2, generator 1.25, discriminator 0.5\n"


def test_stages_have_no_losses(monkeypatch):
    screen = terminal(monkeypatch)
    with stage_progress() as progress:
        progress("captions", 3, 3)
    assert "captions" in screen.getvalue() and "generator" not in screen.getvalue()
