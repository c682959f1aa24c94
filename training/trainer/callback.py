"""The interface of the training loop's callbacks."""

from collections.abc import Mapping
from typing import Any

from training.losses.objectives.base import Metrics
from training.runs.train_state import TrainState


class Callback:
    """Hooks of the training loop; by default each does nothing.

    The `Trainer` calls the callbacks in the order of its list. `training.trainer.run` builds the
    list:

    1. schedules: dropout, residual fade, moving average, learning rates;
    2. progress and metric log;
    3. monitors, before anything is written of a step that may have to be rolled back;
    4. sample grids, snapshots, best checkpoint;
    5. the periodic checkpoint, which holds the state of all of them.

    For each step, all callbacks get `on_step_start`, then `on_update_end`, then `on_step_end`.
    """

    def on_train_start(self, step: int, state: TrainState) -> None:
        """Prepare to train from `step` on."""

    def on_step_start(self, step: int, state: TrainState) -> None:
        """Set what depends on the step, before its batch is loaded.

        Args:
            step: number of the step, from 0.
            state: as left by the step before.
        """

    def on_update_end(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Do what belongs to the update of the weights; its time counts as training time.

        Args:
            step: number of the step, from 0.
            state: both networks have stepped.
            metrics: of the step; a callback may add to them.
        """

    def on_step_end(self, step: int, state: TrainState, metrics: Metrics, *, last: bool) -> None:
        """Log, measure or save the step.

        Args:
            step: steps done, from 1.
            state: as the step left it.
            metrics: of the step.
            last: whether training ends here.

        Raises:
            RollBackError: the run must go back to an earlier checkpoint; the callbacks after this
                one do not see the step.
        """

    def on_roll_back(self, step: int, saved: Mapping[str, Any]) -> None:
        """Continue from an earlier step.

        Args:
            step: steps done at the checkpoint.
            saved: the checkpoint's content.
        """

    def on_train_end(self) -> None:
        """Release files; called after errors as well."""
