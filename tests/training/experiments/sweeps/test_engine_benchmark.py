"""Engines beside each other: how fast, and how far apart."""

import json

import pytest
import torch
from PIL import Image

from models.generators import GENERATORS
from models.runtime.bundle_files import BundleConfig
from tests.helpers.bundles import save_bundle
from training.experiments.sweeps.engine_benchmark import distance, engines, time_in_turn

SETTINGS = {"caption_dim": 3, "width": 8, "decoder_width": 8, "caption_code": 4, "noise_dim": 4}


@pytest.fixture
def result(coloured, tmp_path, monkeypatch):
    monkeypatch.setattr("training.experiments.sweeps.engine_benchmark.ROUNDS", 3)
    config = BundleConfig("small", "inpaint", SETTINGS, "made up", "sha256:test", 3, 4, {})
    torch.manual_seed(0)
    save_bundle(tmp_path / "bundle", GENERATORS["inpaint"](SETTINGS), config, "# small")
    engines(tmp_path / "bundle", coloured, tmp_path / "engines.json", count=8)
    return json.loads((tmp_path / "engines.json").read_text())["results"]


def test_every_engine_reports_time_and_distance_from_torch(result, tmp_path):
    assert result["fill"]["torch"]["times_torch"] == 1
    assert result["distance"]["openvino-f32"]["max"] <= 1
    assert set(result["fill"]) == {"torch", *result["distance"]}
    assert Image.open(tmp_path / "engines.png").height > 8 * 64


def test_a_distance_is_of_levels_up_or_down():
    right = torch.full((2, 3, 32, 32), 100, dtype=torch.uint8)
    fills = right.clone()
    fills[0] -= 4
    assert distance(fills, right) == {"mean": 2.0, "worst_picture": 4.0, "max": 4}


def test_half_the_time_is_twice_as_fast():
    def work(size):
        return lambda _: [i * i for i in range(size)]

    found = time_in_turn({"torch": work(40_000), "fast": work(20_000)})
    assert 1.5 < found["fast"]["times_torch"] < 2.7
