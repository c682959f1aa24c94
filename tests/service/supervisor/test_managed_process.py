"""The processes that `captionfill serve` keeps running."""

import subprocess
import sys

import pytest

from service.supervisor.managed_process import ManagedProcess


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "started\ncaptionfill: no bundle at café\x85 \u2028 x\n",
            "no bundle at café\x85 \u2028 x",
        ),
        ("", "its log is empty"),
        ("\n", "its log is empty"),
    ],
)
def test_last_words_are_the_whole_last_line(log, said, tmp_path):
    place = tmp_path / "log"
    place.write_text(log)
    child = ManagedProcess("api", lambda fd: subprocess.Popen([sys.executable, "-c", ""]), place, 1)
    assert child.log_tail() == said
    child.stop()
