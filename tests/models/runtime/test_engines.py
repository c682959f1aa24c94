"""Engines: what OpenVINO computes is what torch computes, and a batch changes nothing."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.frozen.scorers import SCORERS
from models.generators import GENERATORS
from models.openvino_import import is_installed
from models.runtime.bundle import Bundle
from models.runtime.bundle_files import BundleConfig
from models.runtime.engine import EngineError
from models.runtime.engines import load_engine
from models.runtime.openvino_engine import OpenVinoEngine
from models.runtime.torch_engine import TorchEngine

# Not by importing it: the first import is to be the engine's own, which silences it. In continuous
# integration the extra [dev] has installed it, and nothing is skipped.
pytestmark = pytest.mark.skipif(
    not is_installed() and not os.environ.get("CI"), reason="OpenVINO is not installed"
)

UNET = {"width": 16, "style": 32, "caption_code": 8}
SMALL = {
    "inpaint": {"width": 8, "decoder_width": 8, "caption_code": 8, "noise_dim": 8},
    "inpaint-began": {},
    "context-encoder": {"width": 8, "bottleneck": 16},
    "dcgan": {"size": 32, "width": 16},
    "began": {"size": 32},
    "began-blog": {},
    "unet": {**UNET, "guidance": 1.5, "upsample": "bilinear", "membrane": True},
}


def bundle(kind="unet", scorer=False):
    torch.manual_seed(1)
    network = GENERATORS[kind]({"caption_dim": 12, **SMALL[kind]}).eval()
    for parameter in network.parameters():  # as if trained: no part of it says nothing
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    noise = network.settings.noise_dim
    config = BundleConfig(kind, kind, SMALL[kind], "", "", 12, noise, {})
    judge = SCORERS["plain"]({"caption_dim": 12, "width": 4, "code": 8}).eval()
    return Bundle(
        generator=network.requires_grad_(False), config=config, scorer=judge if scorer else None
    )


@pytest.fixture(scope="module")
def engine():
    return load_engine(bundle(scorer=True), "openvino", threads=2)


def inputs(count, seed=0):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, 3, 64, 64), np.uint8)
    captions = random.standard_normal((count, 12), np.float32)
    return pixels, captions, list(range(seed, seed + count))


def apart(one, other):
    return np.abs(one.astype(int) - other)


@pytest.mark.parametrize("kind", sorted(GENERATORS))
def test_in_float32_every_generator_fills_as_torch_does(kind):
    some = bundle(kind)
    fast, slow = load_engine(some, "openvino-f32"), TorchEngine(some)
    assert fast.name == "openvino-f32"
    assert apart(fast.fill(*inputs(3)), slow.fill(*inputs(3))).max() <= 1


def test_bfloat16_fills_differ_from_torch_by_one_level(engine):
    difference = apart(engine.fill(*inputs(8)), TorchEngine(engine.bundle).fill(*inputs(8)))
    assert difference.mean() < 1


def test_scores_are_torchs_to_six_digits(engine):
    pixels, captions, _ = inputs(4)
    right = TorchEngine(engine.bundle).score(pixels, captions)
    assert np.allclose(engine.score(pixels, captions), right, atol=2e-6)


def test_one_thread_and_two_give_the_same_bits(engine):
    one = load_engine(engine.bundle, "openvino", threads=1)
    assert np.array_equal(one.fill(*inputs(5)), engine.fill(*inputs(5)))
    pixels, captions, _ = inputs(5)
    assert np.array_equal(one.score(pixels, captions), engine.score(pixels, captions))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_a_batch_changes_no_bit(engine, seeds):
    pixels, captions, _ = inputs(len(seeds), seeds[0])
    together = engine.fill(pixels, captions, seeds)
    rows = range(len(seeds))
    alone = [engine.fill(pixels[i : i + 1], captions[i : i + 1], [seeds[i]]) for i in rows]
    assert np.array_equal(together, np.concatenate(alone))


def test_temperature_is_per_image_and_0_ignores_seeds(engine):
    pixels, captions, seeds = inputs(3)
    pixels, captions = np.repeat(pixels[:1], 3, 0), np.repeat(captions[:1], 3, 0)
    mixed = engine.fill(pixels, captions, seeds, [0.0, 1.0, 0.0])
    assert np.array_equal(mixed[0], mixed[2]) and not np.array_equal(mixed[0], mixed[1])
    assert np.array_equal(mixed[1], engine.fill(pixels, captions, seeds)[1])


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_the_hidden_centre_is_never_read(engine, seed, level):
    pixels, captions, seeds = inputs(1, seed)
    other = pixels.copy()
    other[:, :, 16:48, 16:48] = level
    assert np.array_equal(engine.fill(pixels, captions, seeds), engine.fill(other, captions, seeds))


AGAIN = """
from tests.models.runtime.test_engines import *
torch.set_num_threads(1)
print(load_engine(bundle(), "openvino").fill(*inputs(3)).tobytes().hex())
"""


@pytest.mark.slow
def test_another_process_gives_the_same_bits(engine):
    output = subprocess.run(
        [sys.executable, "-c", AGAIN], capture_output=True, text=True, check=True
    ).stdout
    assert bytes.fromhex(output.strip()) == engine.fill(*inputs(3)).tobytes()


def test_auto_falls_back_to_torch_with_a_warning(monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("no such operation\nat line 7")

    monkeypatch.setattr("models.runtime.tracing.convert", fail)
    assert load_engine(bundle(), "auto").name == "torch"
    [line] = caplog.records
    assert line.reason == "OpenVINO cannot compute UnetGenerator: no such operation"
    with pytest.raises(EngineError, match="cannot compute UnetGenerator"):
        load_engine(bundle(), "openvino")


def test_an_engine_that_computes_wrongly_is_refused(monkeypatch):
    monkeypatch.setattr(OpenVinoEngine, "generate", lambda self, *some: np.zeros((2, 3, 32, 32)))
    with pytest.raises(EngineError, match="levels from torch"):
        load_engine(bundle(), "openvino-f32")


def test_without_openvino_auto_is_torch(monkeypatch):
    monkeypatch.setattr("models.runtime.engines.is_installed", lambda: False)
    assert load_engine(bundle(), "auto").name == "torch"


def test_an_engine_nobody_knows_is_refused():
    with pytest.raises(EngineError, match="no engine is called 'tpu'; there are: auto, torch"):
        load_engine(bundle(), "tpu")


def test_openvino_has_nothing_to_report_with(engine):
    assert sys.modules["openvino_telemetry"] is None
    assert "stub" in sys.modules["openvino.tools.ovc.telemetry_utils"].tm.__name__
