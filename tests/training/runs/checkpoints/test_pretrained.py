"""A run that begins with a bundle's generator."""

import json
import shutil

import pytest
import torch

from models.runtime.bundle import load_bundle
from tests.helpers.bundles import save_bundle
from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.small_run import DIM, small_recipe
from training.common.errors import RunError
from training.inference.export import export
from training.runs.checkpoints.pretrained import find_init_checkpoint, init_weights
from training.runs.checkpoints.train_state import build_train_state
from training.runs.load_run import load_run
from training.runs.run_dir import RunDir
from training.trainer.run import resume, start

STILL = ("optimizers.generator.lr=1e-12", "run.ema=0")


@pytest.fixture(scope="module")
def bundle(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("origin")
    start(small_recipe("run.steps=3"), [prepared], folder / "run", no_progress)
    export(folder / "run", folder / "bundle")
    return folder / "bundle"


def test_the_generator_begins_with_the_bundle_s_weights(bundle, prepared, tmp_path):
    start(small_recipe("run.steps=1", *STILL), [prepared], tmp_path, no_progress, init_from=bundle)
    begun = load_bundle(bundle).generator.state_dict()
    weights = load_run(tmp_path, "newest").generator.state_dict()
    trained = [name for name in begun if "running" not in name and "tracked" not in name]
    assert all(torch.allclose(weights[name], begun[name], atol=1e-6) for name in trained)


def test_its_average_begins_there_too(bundle):
    recipe = small_recipe()
    state = build_train_state(recipe, DIM, torch.device("cpu"))
    init_weights(state, find_init_checkpoint(bundle, recipe, "sha256:test"))
    average = state.average.module.state_dict()
    begun = load_bundle(bundle).generator.state_dict()
    assert all(torch.equal(average[name], begun[name]) for name in begun)


def test_another_generator_or_no_bundle_is_an_error(bundle, prepared, tmp_path):
    wider = "generator.settings={ caption_code = 4, noise_dim = 4, width = 16, decoder_width = 4 }"
    with pytest.raises(RunError, match="width"):
        start(small_recipe(wider), [prepared], tmp_path / "run", no_progress, init_from=bundle)
    with pytest.raises(RunError, match="no bundle at"):
        start(small_recipe(), [prepared], tmp_path / "run", no_progress, init_from=tmp_path)
    assert not (tmp_path / "run").exists()


def test_settings_that_change_no_weight_may_differ(prepared, tmp_path):
    def unet(others):
        settings = f"generator.settings={{caption_code=4, latent=4, style=8, width=8, {others}}}"
        return small_recipe("run.steps=1", "generator.kind=unet", settings)

    start(unet('upsample="nearest"'), [prepared], tmp_path / "run", no_progress)
    export(tmp_path / "run", tmp_path / "bundle", guidance=1.5)
    changed = unet('upsample="bilinear", membrane=true')
    start(changed, [prepared], tmp_path / "next", no_progress, init_from=tmp_path / "bundle")
    settings = load_run(tmp_path / "next", "newest").generator.settings
    assert settings.upsample == "bilinear" and settings.membrane


def test_run_without_checkpoint_restarts_and_refuses_another_bundle(bundle, prepared, tmp_path):
    recipe, copied = small_recipe("run.steps=1", *STILL), tmp_path / "bundle"
    sound = load_bundle(bundle)
    save_bundle(copied, sound.generator, sound.config, "# copied")
    start(recipe, [prepared], tmp_path / "run", no_progress, init_from=copied)
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    resume(tmp_path / "run", [], no_progress)
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with torch.no_grad():
        next(sound.generator.parameters()).add_(1)
    save_bundle(copied, sound.generator, sound.config, "# another")
    with pytest.raises(RunError, match="is not the bundle that this run began with"):
        resume(tmp_path / "run", [], no_progress)


@pytest.fixture
def orphan(bundle, prepared, tmp_path):
    """A run without a checkpoint whose bundle has moved to `new`."""
    shutil.copytree(bundle, tmp_path / "old")
    recipe = small_recipe("run.steps=1", *STILL)
    start(recipe, [prepared], tmp_path / "run", no_progress, init_from=tmp_path / "old")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    (tmp_path / "old").rename(tmp_path / "new")
    return tmp_path


def test_a_bundle_that_moved_is_found_by_from(orphan):
    with pytest.raises(RunError, match="say where with --from"):
        resume(orphan / "run", [], no_progress)
    resume(orphan / "run", [], no_progress, init_from=orphan / "new")
    assert RunDir.open(orphan / "run").init_checkpoint.place == str(orphan / "new")


def test_from_refuses_another_bundle_before_changes(orphan):
    sound = load_bundle(orphan / "new")
    with torch.no_grad():
        next(sound.generator.parameters()).add_(1)
    save_bundle(orphan / "other", sound.generator, sound.config, "# other")
    before = (orphan / "run/run.json").read_text()
    with pytest.raises(RunError, match="is not the bundle that this run began with"):
        resume(orphan / "run", [], no_progress, init_from=orphan / "other")
    assert (orphan / "run/run.json").read_text() == before


def test_from_is_refused_where_no_bundle_was(bundle, prepared, tmp_path):
    start(small_recipe("run.steps=1"), [prepared], tmp_path / "run", no_progress)
    with pytest.raises(RunError, match="did not begin with a bundle"):
        resume(tmp_path / "run", [], no_progress, init_from=bundle)


def test_bundle_records_which_one_its_run_began_with(bundle, prepared, tmp_path):
    start(small_recipe("run.steps=1"), [prepared], tmp_path / "run", no_progress, init_from=bundle)
    export(tmp_path / "run", tmp_path / "bundle")
    config = json.loads((tmp_path / "bundle" / "config.json").read_text())
    start_bundle = config["training"]["begun_with"]
    assert start_bundle == {
        "digest": load_bundle(bundle).weights_digest,
        "steps": 3,
        "pictures_seen": 12,
        "changes": [],
    }
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert f"`{start_bundle['digest']}`, of 3 steps, 12 images seen" in card
