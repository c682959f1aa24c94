"""Training time and speed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from training.common.distributed import mean_over_ranks
from training.losses.objectives.base import Metrics

TIME_STATE = "worked"  # key of the seconds in a checkpoint


class StepTimer:
    """Measures the steps of a training, without what callbacks do between them.

    Attributes:
        seconds: training time of all steps so far; saved with checkpoints.
    """

    def __init__(self, device: torch.device, images_per_step: int) -> None:
        self.device, self.images = device, images_per_step
        self.seconds = self.wall = self.loading_seconds = 0.0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Measure one step."""
        self.loading_seconds = 0.0
        began, wall = work_clock(self.device), time.perf_counter()
        yield
        self.wall = time.perf_counter() - wall
        self.seconds += work_clock(self.device) - began

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Measure, within a step, how long it waits for a batch."""
        began = time.perf_counter()
        yield
        self.loading_seconds += time.perf_counter() - began

    def metrics(self) -> Metrics:
        """Return speed and loader share of the last step, and the minutes of all."""
        speed = {
            "time/images_per_second": self.images / self.wall,
            "time/loader_share": self.loading_seconds / self.wall,
        }
        return {**mean_over_ranks(speed), "time/minutes": self.seconds / 60}

    def state_dict(self) -> float:
        """Return the seconds of training so far."""
        return self.seconds

    def load_state_dict(self, seconds: float) -> None:
        """Continue from so many seconds."""
        self.seconds = seconds


def work_clock(device: torch.device) -> float:
    """Return a reading in seconds; only differences have a meaning.

    On a CPU it is processor time divided by torch's threads, which does not depend on the load of
    the machine. On other devices it is wall time.
    """
    if device.type == "cpu":
        return time.process_time() / torch.get_num_threads()
    return time.perf_counter()
