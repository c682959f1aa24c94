"""A model whose fills are known beforehand, for workers in threads and in processes."""

import os
import signal
import time

from service.queue.task import FILL_BYTES, InferenceResult

DIGEST = "sha256:painter"
BAD_LUCK, POISON, HANG = 13, 666, 777


class Painter:
    """Paints each fill in the level of its seed; seed 13 is bad luck, 666 kills, and 777 hangs.

    The other caption's fill is one level brighter. ``seconds`` is what each image takes.
    """

    def __init__(self, seconds=0.0):
        self.models, self.default = {"painter": DIGEST}, "painter"
        self.engines = {"painter": "brush"}
        self.seconds = seconds

    def predict(self, works):
        time.sleep(self.seconds * sum(work.images for work in works))
        return [self._fill(work) for work in works]

    def close(self):
        pass

    def _fill(self, work):
        if work.seed == BAD_LUCK:
            return ValueError("bad luck")
        if work.seed == HANG:
            time.sleep(3600)
        if work.seed == POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        others = paint(work.seeds, 1) if work.other is not None else b""
        unknown = not work.caption.isascii()  # a painter knows no emoji
        return InferenceResult(
            paint(work.seeds),
            work.seeds,
            "painter",
            DIGEST,
            others,
            engine="brush",
            unknown=unknown,
        )


def paint(seeds, brighter=0):
    return b"".join(bytes([(seed + brighter) % 256]) * FILL_BYTES for seed in seeds)
