"""On a CPU the worker imports neither torch, transformers nor sentence-transformers."""

import sys
from pathlib import Path

import numpy as np
import pytest

from captionfill import Inpainter
from captionfill.errors import StartError
from models.runtime.bundle_files import DEFAULT_BUNDLE
from service.queue.task import InferenceTask
from service.worker.model_process import ModelProcess

WINDOW = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
CAPTIONS = ("a dog", "a cat that sleeps on a red chair")


class WithoutTorch(ModelProcess):
    module = "tests.helpers.service.predictor_without_torch"


@pytest.fixture
def settings_of_no_cache(monkeypatch):
    monkeypatch.setenv("CAPTIONFILL_CAPTION_CACHE", "0")


def test_a_worker_without_torch_fills_the_same(scored_bundle, settings_of_no_cache):
    tasks = [InferenceTask(WINDOW.tobytes(), caption, 5, 2) for caption in CAPTIONS]
    process = WithoutTorch([scored_bundle], "cpu", 30)
    try:
        results = process.predict(tasks)
    finally:
        process.close()
    inpainter = Inpainter.load(scored_bundle, "cpu")
    for result, caption in zip(results, CAPTIONS, strict=True):
        made = inpainter.fill(WINDOW, caption, seed=5, n=2)
        own = np.stack([np.asarray(image)[16:48, 16:48] for image in made.images])
        assert result.fills == own.tobytes()
        assert (result.scores, result.engine) == (made.scores, made.engine)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_real_worker_process_loads_no_torch(settings_of_no_cache):
    process = ModelProcess([DEFAULT_BUNDLE], "cpu", 30)
    try:
        [result] = process.predict([InferenceTask(WINDOW.tobytes(), "a dog", 5)])
        folder = Path(f"/proc/{process._process.pid}")
        libraries = {
            Path(line.split()[-1]).name for line in (folder / "maps").read_text().splitlines()
        }
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    finally:
        process.close()
    assert not isinstance(result, Exception)
    assert any("openvino" in name for name in libraries)
    assert not any("torch" in name for name in libraries)
    assert int(status["VmRSS"].split()[0]) < 400_000  # kB


def test_an_older_bundle_names_what_it_needs(tmp_path, settings_of_no_cache):
    from tests.conftest import write_bundle

    folder = write_bundle(tmp_path / "old", "old", onnx=False)
    with pytest.raises(StartError, match=r"'old' carries no ONNX.*captionfill\[gpu\]"):
        WithoutTorch([folder], "cpu", 30)


def test_a_gpu_without_torch_names_what_it_needs(tiny_bundle, settings_of_no_cache):
    with pytest.raises(StartError, match=r"device cuda needs torch.*captionfill\[gpu\]"):
        WithoutTorch([tiny_bundle], "cuda", 30)
