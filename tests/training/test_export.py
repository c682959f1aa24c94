"""From a run to a bundle that inference loads."""

import json

import pytest
import torch

from models.bundle import load_bundle
from models.sampling import fill_centres
from tests.training.small import small_recipe
from training.checkpoint import load_checkpoint
from training.errors import RunError
from training.export import export
from training.launch import start


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    start(small_recipe("run.steps=3"), [prepared], folder, lambda step, figures: None)
    return folder


def test_the_bundle_is_the_averaged_generator_in_half_precision(run, tmp_path):
    digest = export(run, tmp_path, "mine")
    bundle = load_bundle(tmp_path)
    average = load_checkpoint(run / "checkpoints")[1]["average"]
    mine = bundle.generator.state_dict()
    assert bundle.digest == digest
    assert all(torch.equal(v, average[f"module.{k}"].half().to(v)) for k, v in mine.items())


def test_the_bundle_fills(run, tmp_path):
    export(run, tmp_path)
    pixels = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    fills = fill_centres(load_bundle(tmp_path), pixels, torch.zeros(2, 8), [0, 1])
    assert fills.shape == (2, 3, 32, 32)


def test_the_bundle_says_where_it_comes_from_without_a_path(run, prepared, tmp_path):
    export(run, tmp_path)
    config = (tmp_path / "config.json").read_text()
    assert json.loads(config)["training"]["steps"] == 3
    assert str(prepared) not in config
    assert "terms" in (tmp_path / "README.md").read_text()


def test_a_folder_without_a_run_is_one_clear_error(tmp_path):
    with pytest.raises(RunError, match="no run in"):
        export(tmp_path, tmp_path / "bundle")
