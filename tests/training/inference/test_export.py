"""From a run to a bundle that inference loads."""

import json
import shutil

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard

from models.runtime.bundle import load_bundle
from models.runtime.bundle_files import DEFAULT_BUNDLE
from models.runtime.engines import open_engine
from tests.helpers.training.small_run import small_recipe
from training.common.errors import EvaluationError, RunError
from training.evaluation.scorers.kinds import SCORER_KINDS, save_scorer
from training.inference.export import export
from training.runs.checkpoints.checkpoint import load_checkpoint
from training.trainer.run import resume, start


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    start(small_recipe("run.steps=3"), [prepared], folder, lambda step, figures: None)
    return folder


def test_bundle_is_the_ema_generator_in_half_precision(run, tmp_path):
    digest = export(run, tmp_path, "mine")
    bundle = load_bundle(tmp_path)
    average = load_checkpoint(run / "checkpoints")[1]["average"]
    mine = bundle.generator.state_dict()
    assert bundle.digest == digest
    assert all(torch.equal(v, average[f"module.{k}"].half().to(v)) for k, v in mine.items())


def test_the_bundle_fills(run, tmp_path):
    export(run, tmp_path)
    pixels = np.zeros((2, 3, 64, 64), np.uint8)
    fills = open_engine(tmp_path).fill(pixels, np.zeros((2, 8)), [0, 1])
    assert fills.shape == (2, 3, 32, 32)


def test_bundle_carries_only_the_scorer_it_was_given(run, tmp_path):
    for dim in (8, 12):
        save_scorer(SCORER_KINDS["plain"].build(dim), tmp_path / f"{dim}.safetensors")
    export(run, tmp_path / "bundle", scorer=tmp_path / "8.safetensors")
    assert load_bundle(tmp_path / "bundle").scorer is not None
    with pytest.raises(RunError, match="no such scorer"):
        export(run, tmp_path / "bundle", scorer=tmp_path / "12.safetensors")


@pytest.mark.parametrize("name", ["guidance", "temperature"])
def test_bundle_config_has_guidance_and_temperature_if_supported(name, run, prepared, tmp_path):
    with pytest.raises(RunError, match=f"has no {name}"):
        export(run, tmp_path / "bundle", **{name: 1.5})
    small = "generator.settings={caption_code=4, latent=4, style=8, width=8}"
    recipe = small_recipe("run.steps=1", "generator.kind=unet", small)
    start(recipe, [prepared], tmp_path / "unet", lambda step, figures: None)
    export(tmp_path / "unet", tmp_path / "bundle", **{name: 1.5})
    assert getattr(load_bundle(tmp_path / "bundle").generator.settings, name) == 1.5


def test_notes_go_on_card_and_missing_are_errors(run, tmp_path):
    # With the byte order mark that some editors on Windows write.
    (tmp_path / "notes.md").write_text("\ufeff## Beware\n\nIt dreams of dogs.\n", encoding="utf-8")
    export(run, tmp_path / "bundle", notes=tmp_path / "notes.md")
    assert "\n## Beware\n\nIt dreams of dogs.\n" in (tmp_path / "bundle/README.md").read_text()
    with pytest.raises(RunError, match="no notes at"):
        export(run, tmp_path / "bundle", notes=tmp_path / "none.md")


def test_bundle_records_its_origin_without_a_path(run, prepared, tmp_path):
    export(run, tmp_path)
    config = (tmp_path / "config.json").read_text()
    assert json.loads(config)["training"]["steps"] == 3
    assert str(prepared) not in config
    assert "terms" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("which", ["exported", "shipped"])
def test_the_cards_metadata_are_valid(which, run, tmp_path):
    place = tmp_path if which == "exported" else DEFAULT_BUNDLE
    if which == "exported":
        export(run, tmp_path)
    data = ModelCard.load(place / "README.md", ignore_metadata_errors=False).data.to_dict()
    assert data["library_name"] == "captionfill" and data["license"] == "other"
    assert data["pipeline_tag"] == "image-to-image" and "inpainting" in data["tags"]


def test_folder_without_a_run_is_one_clear_error(tmp_path):
    with pytest.raises(RunError, match="no run in"):
        export(tmp_path, tmp_path / "bundle")


def evaluation(folder, digest):
    folder.mkdir()
    (folder / "dev.json").write_text(json.dumps({"about": {"digest": digest}, "rows": []}))
    (folder / "dev.md").write_text("# Evaluation\n\n| a table |\n\n## Definitions\n")
    (folder / "dev.png").write_bytes(b"a grid")
    return folder / "dev.json"


def test_card_carries_the_figures_of_these_weights(run, tmp_path):
    table = evaluation(tmp_path / "e", export(run, tmp_path / "bundle"))
    export(run, tmp_path / "bundle", evaluations=[table])
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "## dev\n\n| a table |\n\n### Definitions" in card
    assert (tmp_path / "bundle" / "dev.png").is_file()


def test_figures_of_another_bundle_are_refused(run, tmp_path):
    table = evaluation(tmp_path / "e", "sha256:other")
    with pytest.raises(EvaluationError, match="another bundle"):
        export(run, tmp_path / "bundle", evaluations=[table])


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("wrong", ["other", "list", "text", "missing", "no grid"])
def test_a_wrong_evaluation_leaves_the_older_bundle(run, tmp_path, wrong):
    digest = export(run, tmp_path / "bundle", guidance=None)
    table = evaluation(tmp_path / "e", "sha256:other" if wrong == "other" else digest)
    if wrong in ("list", "text"):
        table.write_text("[1]" if wrong == "list" else "no JSON")
    elif wrong != "other":
        (table if wrong == "missing" else table.with_suffix(".png")).unlink()
    before = files(tmp_path / "bundle")
    with pytest.raises(EvaluationError):
        export(run, tmp_path / "bundle", "renamed", evaluations=[table])
    assert files(tmp_path / "bundle") == before
    assert load_bundle(tmp_path / "bundle").digest == digest


@pytest.mark.parametrize("temperature", [float("nan"), float("inf"), -1.0])
def test_settings_that_are_no_numbers_are_refused(run, tmp_path, temperature):
    with pytest.raises(RunError, match="must be a number"):
        export(run, tmp_path / "bundle", temperature=temperature)


def test_run_directory_is_no_place_for_a_bundle(run):
    with pytest.raises(RunError, match="is a run directory"):
        export(run, run)


def test_backup_is_not_the_newest_checkpoint(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    checkpoints = tmp_path / "run/checkpoints"
    shutil.copytree(checkpoints / "step-00000002", checkpoints / "step-00000099.bak")
    export(tmp_path / "run", tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle").config.training["steps"] == 3


def test_the_card_tells_what_a_resume_changed(prepared, tmp_path):
    folder = tmp_path / "run"
    start(small_recipe("run.steps=1"), [prepared], folder, lambda step, figures: None)
    resume(folder, ["run.steps=2"], lambda step, figures: None)
    export(folder, tmp_path / "bundle")
    assert "from step 1: `run.steps=2`" in (tmp_path / "bundle" / "README.md").read_text()
