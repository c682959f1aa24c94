"""Train in a process of its own that is ended by SIGKILL."""

import multiprocessing
import os
import signal
from pathlib import Path

from training.launch import start
from training.recipe import Recipe

# Neither a plain fork, which hangs where pyarrow's threads hold locks, nor a fresh interpreter,
# which imports torch anew each time: a server that has only imported is forked.
context = multiprocessing.get_context("forkserver")
# torch._dynamo is what the first optimizer would import, for seconds.
context.set_forkserver_preload(["training.launch", "torch._dynamo"])


def train_and_be_killed(recipe: Recipe, data: Path, folder: Path, after: int) -> None:
    """Train until `after` steps are done and die there; an assertion says whether it did."""
    child = context.Process(target=train_until, args=(recipe, data, folder, after))
    child.start()
    child.join(timeout=120)
    ended = child.exitcode
    child.kill()
    assert ended == -signal.SIGKILL


def train_until(recipe: Recipe, data: Path, folder: Path, after: int) -> None:
    def die(step, figures):
        if step == after:
            os.kill(os.getpid(), signal.SIGKILL)

    start(recipe, [data], folder, die)
