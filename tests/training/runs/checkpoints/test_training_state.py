"""A run that continues from the training state beside a bundle."""

import shutil

import pytest
import torch

from models.runtime.bundle import load_bundle
from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.small_run import DIM, small_recipe
from training.common.errors import RunError
from training.inference.export import export
from training.runs.checkpoints.pretrained import find_init_checkpoint, init_weights
from training.runs.checkpoints.train_state import build_train_state
from training.runs.checkpoints.training_state import TRAINING_STATE
from training.runs.load_run import load_run
from training.runs.run_dir import RunDir
from training.trainer.run import start


def halved(network):
    weights = network.state_dict()
    return {k: v.half().float() if v.is_floating_point() else v for k, v in weights.items()}


def assert_same_weights(network, expected):
    found = network.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.fixture(scope="module")
def origin(prepared, tmp_path_factory):
    """A run and a bundle of it with its training state, and what the run's networks were."""
    folder = tmp_path_factory.mktemp("origin")
    start(small_recipe("run.steps=3"), [prepared], folder / "run", no_progress)
    export(folder / "run", folder / "bundle", training_state=True)
    return folder / "bundle", load_run(folder / "run").state


@pytest.fixture
def copied(origin, tmp_path):
    return shutil.copytree(origin[0], tmp_path / "bundle")


def begin(bundle, recipe):
    state = build_train_state(recipe, DIM, torch.device("cpu"))
    init_weights(state, find_init_checkpoint(bundle, recipe, "sha256:test"))
    return state


def test_both_networks_and_the_average_go_on(origin):
    bundle, before = origin
    state = begin(bundle, small_recipe())
    assert_same_weights(state.generator, halved(before.generator))
    assert_same_weights(state.discriminator, halved(before.discriminator))
    assert_same_weights(state.average.module, load_bundle(bundle).generator.state_dict())
    average = state.average.module.state_dict()
    assert any(not torch.equal(v, average[k]) for k, v in state.generator.state_dict().items())


def test_the_objective_goes_on_where_it_was(origin):
    bundle, before = origin
    assert begin(bundle, small_recipe()).objective.state_dict() == before.objective.state_dict()


def test_another_discriminator_begins_anew(origin):
    recipe = small_recipe("discriminator.settings={ width = 6 }")
    init_checkpoint = find_init_checkpoint(origin[0], recipe, "sha256:test")
    assert init_checkpoint.state is None
    fresh = build_train_state(recipe, DIM, torch.device("cpu")).discriminator.state_dict()
    assert_same_weights(begin(origin[0], recipe).discriminator, fresh)


def test_the_run_records_which_state_it_took(origin, prepared, tmp_path):
    run = tmp_path / "run"
    start(small_recipe("run.steps=1"), [prepared], run, no_progress, init_from=origin[0])
    assert RunDir.open(run).init_checkpoint.state.startswith("sha256:")


def test_a_state_of_another_bundle_is_refused(copied, origin, prepared, tmp_path):
    start(small_recipe("run.steps=1"), [prepared], tmp_path / "run", no_progress)
    export(tmp_path / "run", copied, training_state=True)
    shutil.copy(origin[0] / TRAINING_STATE, copied)
    with pytest.raises(RunError, match="belongs to another bundle"):
        find_init_checkpoint(copied, small_recipe(), "sha256:test")


def test_a_damaged_state_is_refused_before_training(copied, prepared, tmp_path):
    file = copied / TRAINING_STATE
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(RunError, match="cannot be read"):
        start(small_recipe(), [prepared], tmp_path / "run", no_progress, init_from=copied)
    assert not (tmp_path / "run").exists()


def test_a_state_that_has_gone_is_an_error(copied):
    recipe = small_recipe()
    init_checkpoint = find_init_checkpoint(copied, recipe, "sha256:test")
    (copied / TRAINING_STATE).unlink()
    with pytest.raises(RunError, match="not the training state"):
        init_weights(build_train_state(recipe, DIM, torch.device("cpu")), init_checkpoint)


def test_export_without_it_removes_an_older_state(copied, prepared, tmp_path):
    start(small_recipe("run.steps=1"), [prepared], tmp_path / "run", no_progress)
    export(tmp_path / "run", copied)
    assert not (copied / TRAINING_STATE).exists()
