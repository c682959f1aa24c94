"""The predictor of all servers, and what each does before and after it: this project's own code."""

import os
from pathlib import Path

from captionfill.imaging.canvas import Canvas, unpack_fills
from captionfill.imaging.codec import MAX_PIXELS
from service.queue.task import InferenceResult, InferenceTask

STUB = "stub"


def load_predictor(bundle: str):
    """Load a bundle for the CPU with one thread, or the stub model, which needs no networks."""
    if bundle == STUB:
        from tests.helpers.service.stub_model import StubModel

        return StubModel()
    from service.worker.predictor import Predictor

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return Predictor.load([Path(bundle)], "cpu", "auto", 1)


def read_request(image: bytes, caption: str, seed: int) -> tuple[Canvas, InferenceTask]:
    canvas = Canvas.open(image, None, MAX_PIXELS)
    return canvas, InferenceTask(canvas.window.tobytes(), caption, seed)


def write_answer(canvas: Canvas, result: InferenceResult | Exception) -> bytes:
    if isinstance(result, Exception):
        raise result
    return canvas.composite_pngs(unpack_fills(result.fills))[0]
