"""Saves and loads the whole state of a training: train state, monitors, best record, time."""

from collections.abc import Mapping
from typing import Any

from training.common.console import is_main_process
from training.runs.checkpoints.checkpoint import (
    load_checkpoint,
    remove_affected_checkpoints,
    save_checkpoint,
    shared_checkpoint,
)
from training.runs.checkpoints.train_state import TrainState
from training.runs.run_dir import RunDir
from training.trainer.nonfinite import check_weights


class Checkpointer:
    """Writes a run's checkpoints and reads them.

    Args:
        run: where they are.
        state: the networks, optimizers and objective.
        parts: what else has a `state_dict` and a `load_state_dict`, by its key in the checkpoint. A
            checkpoint of an older version that lacks a part leaves it as it is.
    """

    def __init__(self, run: RunDir, state: TrainState, parts: Mapping[str, Any]) -> None:
        self.run, self.state, self.parts = run, state, parts

    def save(self, step: int) -> None:
        """Write a checkpoint; rank 0 does it for all.

        Raises:
            NonFiniteError: a weight is not finite; the checkpoints are as before.
            OutputError: it cannot be written, for example because the disk is full.
        """
        check_weights(self.state, step)
        if is_main_process():
            parts = {name: part.state_dict() for name, part in self.parts.items()}
            save_checkpoint(self.run.checkpoints, step, self.state.state_dict() | parts)

    def load(self) -> int:
        """Load the newest checkpoint, and return how many steps it has done.

        Raises:
            RunError: there is none, or it is damaged or does not fit.
        """
        step, saved = shared_checkpoint(lambda: load_checkpoint(self.run.checkpoints))
        self.state.load_state_dict(saved)
        for name, part in self.parts.items():
            if name in saved:
                part.load_state_dict(saved[name])
        return step

    def roll_back(self, since: int) -> tuple[int, dict[str, Any]]:
        """Load the train state from before a problem was first seen; remove the later checkpoints.

        Returns:
            How many steps the checkpoint has done, and its content.

        Raises:
            RunError: there is no such checkpoint.
        """

        def last_good() -> tuple[int, dict[str, Any]]:
            every = self.run.recipe.guards.every
            remove_affected_checkpoints(self.run.checkpoints, since, every)
            return load_checkpoint(self.run.checkpoints)

        step, saved = shared_checkpoint(last_good)
        self.state.load_state_dict(saved)
        return step, saved
