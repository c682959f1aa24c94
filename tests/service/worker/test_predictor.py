import numpy as np
import pytest
import torch

from captionfill.errors import StartError
from captionfill.imaging.canvas import Canvas
from captionfill.inpainter import Inpainter
from models.runtime.bundle import load_bundle
from models.runtime.torch_engine import TorchEngine
from service.queue.task import InferenceTask, OutOfMemory
from service.worker.predictor import Predictor


@pytest.fixture(scope="module")
def inpainter(tiny_bundle):
    return Inpainter.load(tiny_bundle, "cpu")


@pytest.fixture(scope="module")
def predictor(inpainter):
    return Predictor([inpainter])


def task(seed, count=1, caption="a cat", **options):
    window = np.random.default_rng(seed).integers(0, 256, 12288, np.uint8).tobytes()
    return InferenceTask(window, caption, seed, count, **options)


def test_a_batch_gives_what_each_gets_alone(predictor):
    tasks = [task(seed, caption=f"picture {seed % 3}") for seed in range(6)]
    assert predictor.predict(tasks) == [predictor.predict([one])[0] for one in tasks]


def test_the_worker_fills_as_the_library(predictor, inpainter, noise):
    canvas = Canvas.open(noise(120, 100), (10, 20, 30, 40))
    [result] = predictor.predict([InferenceTask(canvas.windows.tobytes(), "a cat", 5, 3)])
    made = inpainter.fill(canvas, "a cat", seed=5, n=3)
    fills = np.frombuffer(result.fills, np.uint8).reshape(-1, 32, 32, 3)
    assert canvas.composite_pngs(fills) == [one.png() for one in made.candidates]


@pytest.fixture
def as_one_tensor(inpainter, monkeypatch):
    """The inpainter as on a GPU, where a batch is one tensor."""

    class Together(TorchEngine):
        def _rows_at_once(self, count):
            return count

    monkeypatch.setattr(inpainter, "engine", Together(load_bundle(inpainter.engine.bundle.folder)))


def test_a_bad_task_fails_alone(predictor):
    a_bad_task_fails_alone(predictor)


def test_a_bad_task_fails_alone_on_gpus(predictor, as_one_tensor):
    a_bad_task_fails_alone(predictor)


def a_bad_task_fails_alone(predictor):
    good, bad, other = predictor.predict([task(1), InferenceTask(b"short", "a", 1), task(2)])
    assert isinstance(bad, Exception) and len(good.fills) == len(other.fills) == 3072


def test_a_result_carries_all_facts(scored_bundle):
    long = " ".join(["word"] * 400)
    predictor = Predictor.load([scored_bundle])
    [result] = predictor.predict([task(5, 3, caption=long, other="\u200b")])
    assert (len(result.fills), len(result.others)) == (3 * 3072, 3 * 3072)
    assert sorted(result.seeds) == [5, 6, 7] and len(result.scores) == 3
    assert result.truncated and result.unknown
    assert (result.model, result.bundle) == ("scored", predictor.models["scored"])
    assert result.engine == predictor.engines["scored"]


def test_each_task_is_filled_by_its_bundle(tiny_bundle, scored_bundle):
    both = Predictor.load([tiny_bundle, scored_bundle])
    tasks = [task(1, model=name) for name in ("", "scored", "tiny", "nobody")]
    *results, lost = both.predict(tasks)
    assert [one.model for one in results] == ["tiny", "scored", "tiny"]
    assert isinstance(lost, LookupError) and set(both.models) == {"tiny", "scored"}


def test_two_bundles_of_one_name_are_refused(tiny_bundle):
    with pytest.raises(StartError, match="two bundles are called 'tiny'"):
        Predictor.load([tiny_bundle, tiny_bundle])


def failing(message, kind=RuntimeError):
    calls = []

    def fail(windows, *_):
        calls.append(len(windows))
        raise kind(message)

    return fail, calls


def test_not_even_one_image_fits(predictor, inpainter, monkeypatch):
    fail, _ = failing("CUDA out of memory. Tried to allocate 20.00 MiB", torch.OutOfMemoryError)
    monkeypatch.setattr(inpainter.engine, "fill", fail)
    results = predictor.predict([task(1), task(2, count=4)])
    assert [type(one) for one in results] == [OutOfMemory] * 2


def test_a_device_error_is_no_result(predictor, inpainter, monkeypatch):
    fail, calls = failing("CUDA error: device-side assert triggered")
    monkeypatch.setattr(inpainter.engine, "fill", fail)
    with pytest.raises(RuntimeError, match="device-side assert"):
        predictor.predict([task(1), task(2)])
    assert len(calls) == 1  # nor is each task tried alone
