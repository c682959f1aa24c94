"""Bundles are whole or refused."""

import json

import numpy as np
import pytest
import torch

from models.captions import CaptionEncoder, EncoderError
from models.generators import GENERATORS
from models.runtime.bundle import load_bundle
from models.runtime.bundle_files import BundleConfig, BundleError
from models.runtime.torch_engine import TorchEngine
from models.seeded_noise import seeded_noise
from tests.helpers.bundles import save_bundle

SETTINGS = {"caption_dim": 12, "caption_code": 8, "noise_dim": 4, "width": 8, "decoder_width": 8}
CONFIG = BundleConfig(
    name="small",
    generator="inpaint",
    settings=SETTINGS,
    encoder="some-encoder",
    encoder_fingerprint="sha256:aa",
    caption_dim=12,
    noise_dim=4,
    training={},
)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_bundle(tmp_path, GENERATORS["inpaint"](SETTINGS), CONFIG, "# small")
    return tmp_path


def test_a_bundle_comes_back_as_it_was_written(folder):
    bundle = load_bundle(folder)
    assert bundle.config == CONFIG
    assert bundle.digest.startswith("sha256:")
    assert not bundle.generator.training


def test_digest_depends_on_the_weights(tmp_path):
    generator = GENERATORS["inpaint"](SETTINGS)
    first = save_bundle(tmp_path / "a", generator, CONFIG, "")
    again = save_bundle(tmp_path / "b", generator, CONFIG, "another card")
    other = save_bundle(tmp_path / "c", GENERATORS["inpaint"](SETTINGS), CONFIG, "")
    assert first == again != other


def test_damaged_weights_are_refused(folder):
    weights = folder / "generator.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(BundleError, match="does not fit its digest"):
        load_bundle(folder)


def test_an_edited_config_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    config["encoder_fingerprint"] = "sha256:bb"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match="does not fit its digest"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["config.json", "generator.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        load_bundle(folder)


def test_another_encoder_is_refused(folder):
    other = CaptionEncoder("other-encoder", 12, "sha256:bb", None)
    with pytest.raises(EncoderError, match=r"some-encoder.*other-encoder"):
        load_bundle(folder).check_encoder(other)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device that must be missing is there")
def test_a_device_that_is_missing_is_named(scored_bundle):
    with pytest.raises(BundleError, match="device cuda cannot be used"):
        load_bundle(scored_bundle, "cuda")


def test_noise_depends_on_its_own_seed_alone():
    alone, together = seeded_noise([7], 4), seeded_noise([3, 7, 9], 4)
    assert np.array_equal(alone[0], together[1])


def test_a_fill_does_not_read_the_hole(folder):
    engine = TorchEngine(load_bundle(folder))
    one = np.random.randint(256, size=(2, 3, 64, 64)).astype(np.uint8)
    other = one.copy()
    other[:, :, 16:48, 16:48] = 255 - other[:, :, 16:48, 16:48]
    captions = np.random.randn(2, 12)
    fills = [engine.fill(p, captions, [1, 2]) for p in (one, other)]
    assert np.array_equal(*fills)
    assert fills[0].dtype == np.uint8
