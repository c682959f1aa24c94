"""A bundle may carry a scorer, which ranks fills by their caption."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.errors import ScorerError
from models.frozen.scorers import SCORERS
from models.generators import GENERATORS
from models.runtime.bundle import load_bundle
from models.runtime.bundle_files import BundleError
from models.runtime.torch_engine import TorchEngine
from tests.helpers.bundles import save_bundle
from tests.models.runtime.test_bundle import CONFIG, SETTINGS

SCORER = {"kind": "plain", "settings": {"caption_dim": 12, "width": 4, "code": 8}}


def save(folder, scorer_settings=None):
    torch.manual_seed(0)
    generator = GENERATORS["inpaint"](SETTINGS)
    if scorer_settings is None:
        return save_bundle(folder, generator, CONFIG, "# small")
    scorer = SCORERS[SCORER["kind"]](scorer_settings)
    return save_bundle(folder, generator, replace(CONFIG, scorer=SCORER), "# small", scorer)


@pytest.fixture
def folder(tmp_path):
    save(tmp_path, SCORER["settings"])
    return tmp_path


def test_scorer_reloads_with_bundle_and_scores_each_fill(folder):
    bundle = load_bundle(folder)
    pixels = np.random.randint(256, size=(3, 3, 64, 64)).astype(np.uint8)
    captions = np.random.randn(3, 12)
    scores = TorchEngine(bundle).score(pixels, captions)
    assert scores.shape == (3,)
    assert np.abs(scores).max() <= 1
    alone = TorchEngine(bundle).score(pixels[1:2], captions[1:2])
    assert np.array_equal(alone, scores[1:2])


def test_a_score_reads_the_centre_alone(folder):
    pixels = np.random.randint(256, size=(1, 3, 64, 64)).astype(np.uint8)
    other = pixels.copy()
    other[:, :, :16] = 0
    changed = pixels.copy()
    changed[:, :, 20:40, 20:40] = 0
    captions = np.random.randn(1, 12)
    engine = TorchEngine(load_bundle(folder))
    pictures = {"as it is": pixels, "other": other, "changed": changed}
    score = {name: engine.score(some, captions) for name, some in pictures.items()}
    assert np.array_equal(score["as it is"], score["other"])
    assert not np.array_equal(score["as it is"], score["changed"])


def test_the_digest_covers_the_scorer(tmp_path):
    without, with_one = save(tmp_path), save(tmp_path, SCORER["settings"])
    assert without != with_one
    weights = tmp_path / "scorer.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(BundleError, match=r"scorer\.safetensors does not fit its digest"):
        load_bundle(tmp_path)


def test_overwriting_a_bundle_removes_its_old_scorer(folder):
    save(folder)
    assert not (folder / "scorer.safetensors").exists()
    assert load_bundle(folder).scorer is None


def test_a_bundle_without_a_scorer_says_so(tmp_path):
    save(tmp_path)
    pixels = np.zeros((1, 3, 64, 64), np.uint8)
    with pytest.raises(ScorerError, match="'small' carries no scorer"):
        TorchEngine(load_bundle(tmp_path)).score(pixels, np.zeros((1, 12)))
