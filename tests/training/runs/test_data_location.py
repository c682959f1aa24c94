"""Runs whose prepared data has moved, is gone or was prepared anew."""

import json
import shutil

import pytest

from models.runtime.bundle import load_bundle
from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.small_run import small_recipe, write_prepared
from training.common.errors import PreparedDataError
from training.experiments.comparison.runs import data_folder, load_inpainting_run, load_shared_split
from training.inference.export import export
from training.inference.sample_grid import write_samples
from training.runs.run_dir import RunDir
from training.trainer.run import resume, start


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A short run and its data, to be copied and moved about."""
    folder = tmp_path_factory.mktemp("moved")
    write_prepared(folder / "data")
    start(small_recipe("run.steps=1"), [folder / "data"], folder / "run", no_progress)
    return folder


@pytest.fixture
def moved(done, tmp_path):
    """The run, its record pointing to a place that is gone, and the data elsewhere."""
    shutil.copytree(done / "run", tmp_path / "run")
    shutil.copytree(done / "data", tmp_path / "there")
    record = json.loads((tmp_path / "run/run.json").read_text())
    record["data"] = {str(tmp_path / "gone"): digest for digest in record["data"].values()}
    (tmp_path / "run/run.json").write_text(json.dumps(record))
    return tmp_path


def forget_records(run):
    """Make the run one of a version that recorded digests alone."""
    record = json.loads((run / "run.json").read_text())
    del record["prepared"]
    (run / "run.json").write_text(json.dumps(record))


def test_export_and_sample_do_not_need_the_data(moved):
    export(moved / "run", moved / "bundle")
    assert load_bundle(moved / "bundle").config.training["data"][0]["train"]["images"] == 24
    write_samples(moved / "run", [moved / "there"], moved / "grid.png", split="train", rows=2)


def test_resume_says_how_to_name_data_that_moved(moved):
    with pytest.raises(PreparedDataError, match="say where with --data"):
        resume(moved / "run", ["run.steps=2"], no_progress)
    assert RunDir.open(moved / "run").recipe.run.steps == 1


def test_resume_takes_moved_data_and_remembers_its_place(moved):
    resume(moved / "run", ["run.steps=2"], no_progress, data=[moved / "there"])
    assert [*RunDir.open(moved / "run").data] == [str(moved / "there")]
    resume(moved / "run", ["run.steps=3"], no_progress)


def test_other_data_than_the_runs_is_refused(moved):
    write_prepared(moved / "other", captions=("a blue thing",))
    before = (moved / "run/run.json").read_text()
    with pytest.raises(PreparedDataError, match="is not data that this run was started on"):
        resume(moved / "run", [], no_progress, data=[moved / "other"])
    assert (moved / "run/run.json").read_text() == before


def test_run_of_older_version_accepts_given_data(moved):
    forget_records(moved / "run")
    with pytest.raises(PreparedDataError, match="no prepared data"):
        export(moved / "run", moved / "bundle")
    export(moved / "run", moved / "bundle", data=[moved / "there"])
    write_samples(moved / "run", [moved / "there"], moved / "grid.png", split="train", rows=2)
    resume(moved / "run", ["run.steps=2"], no_progress, data=[moved / "there"])
    assert RunDir.open(moved / "run").prepared[0].caption_dim == 8


def test_older_run_does_not_claim_newly_prepared_data(moved):
    forget_records(moved / "run")
    write_prepared(moved / "gone", captions=("a blue thing",))
    with pytest.raises(PreparedDataError, match="prepared anew"):
        export(moved / "run", moved / "bundle")


def test_experiments_find_moved_data_of_older_runs(moved):
    forget_records(moved / "run")
    with pytest.raises(PreparedDataError, match="say where with --data"):
        load_inpainting_run(moved / "run", "newest")
    run = load_inpainting_run(moved / "run", "newest", moved / "there")
    pictures = load_shared_split([run], data_folder([run], moved / "there"), "train")
    assert len(pictures) == 24 and run.encoder_fingerprint == "sha256:test"


def test_one_of_two_data_folders_gives_the_encoder(moved):
    forget_records(moved / "run")
    record = json.loads((moved / "run/run.json").read_text())
    record["data"][str(moved / "gone too")] = "sha256:another"
    (moved / "run/run.json").write_text(json.dumps(record))
    assert load_inpainting_run(moved / "run", "newest", moved / "there").encoder_fingerprint
    with pytest.raises(PreparedDataError, match="no prepared data"):
        export(moved / "run", moved / "bundle", data=[moved / "there"])


def test_moved_first_data_says_how_to_name_it(moved):
    with pytest.raises(PreparedDataError, match="say where with --data"):
        RunDir.open(moved / "run").first_data_folder()
