"""OpenVINO in a process that also handles signals."""

import subprocess
import sys

CHILD = """
import faulthandler, gc, signal, subprocess, sys
from pathlib import Path

from models.captions import CaptionEncoder
from models.runtime.engines import open_engine

faulthandler.enable()  # gives the thread an alternate signal stack
engine = open_engine(Path(sys.argv[1]), kind="openvino")
first = CaptionEncoder.load()
second = CaptionEncoder.load()  # as at a reload, before the first one is released
del first
gc.collect()
del second, engine
gc.collect()
signal.signal(signal.SIGCHLD, lambda *_: None)
subprocess.run([sys.executable, "-c", ""], check=True)
print("handled")
"""


def test_signals_are_handled_after_engines_are_freed(tiny_bundle):
    run = subprocess.run(
        [sys.executable, "-c", CHILD, tiny_bundle], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "handled\n"), run.stderr
