"""Train in a process of its own that is ended by SIGKILL."""

import os
import signal
from pathlib import Path

from tests.helpers.training.processes import context, finish
from training.config.config import Config
from training.trainer.run import start


def train_and_be_killed(recipe: Config, data: Path, folder: Path, after: int) -> None:
    """Train until `after` steps are done and die there; an assertion says whether it did."""
    child = context.Process(target=train_until, args=(recipe, data, folder, after))
    assert finish([child]) == [-signal.SIGKILL]


def train_until(recipe: Config, data: Path, folder: Path, after: int) -> None:
    def die(step, figures):
        if step == after:
            os.kill(os.getpid(), signal.SIGKILL)

    start(recipe, [data], folder, die)
