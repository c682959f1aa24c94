"""Stub model: its fills are known beforehand, for workers in threads and in processes."""

import os
import signal
import time

from service.queue.task import FILL_BYTES, InferenceResult

DIGEST = "sha256:stub"
FAILING_SEED, CRASHING_SEED, HANGING_SEED = 13, 666, 777


class StubModel:
    """Fills with the grey level of the seed. Seed 13 fails, 666 crashes and 777 hangs.

    The second caption gives one level more. `seconds` is the inference time of an image.
    """

    def __init__(self, seconds=0.0):
        self.models, self.default = {"stub": DIGEST}, "stub"
        self.engines = {"stub": "brush"}
        self.seconds = seconds

    def predict(self, tasks):
        time.sleep(self.seconds * sum(task.images for task in tasks))
        return [self._fill(task) for task in tasks]

    def close(self):
        pass

    def _fill(self, task):
        if task.seed == FAILING_SEED:
            return ValueError("stub failure")
        if task.seed == HANGING_SEED:
            time.sleep(3600)
        if task.seed == CRASHING_SEED:
            os.kill(os.getpid(), signal.SIGKILL)
        others = solid_fills(task.seeds, 1, task.parts) if task.other is not None else b""
        unknown = not task.caption.isascii()  # the stub model knows no emoji
        return InferenceResult(
            solid_fills(task.seeds, parts=task.parts),
            task.seeds,
            "stub",
            DIGEST,
            others,
            engine="brush",
            unknown=unknown,
        )


def solid_fills(seeds, brighter=0, parts=1):
    return b"".join(bytes([(seed + brighter) % 256]) * FILL_BYTES * parts for seed in seeds)
