"""What a run knows of its data after they were moved or prepared anew."""

import json
import shutil

import pytest

from tests.helpers.training.small_run import small_recipe, write_prepared
from training.common.errors import PreparedDataError
from training.data.batches import load_sets
from training.data.manifest import Manifest
from training.inference.export import export
from training.runs.load_run import load_run
from training.runs.run_dir import RECORD, RunDir
from training.trainer.run import start


@pytest.fixture
def data(tmp_path):
    return write_prepared(tmp_path / "data")


@pytest.fixture
def run(data, tmp_path):
    start(small_recipe("run.steps=1"), [data], tmp_path / "run", lambda step, figures: None)
    return tmp_path / "run"


def prepare_anew(data):
    shutil.rmtree(data)
    write_prepared(data, captions=("something else",), count=12)


def forget_record(run):
    """Make the run one of a version that recorded digests alone."""
    record = json.loads((run / RECORD).read_text())
    del record["prepared"]
    (run / RECORD).write_text(json.dumps(record))


def test_export_names_the_data_trained_on(run, data, tmp_path):
    trained_on = Manifest.load(data).digest
    prepare_anew(data)
    export(run, tmp_path / "bundle")
    (named,) = json.loads((tmp_path / "bundle/config.json").read_text())["training"]["data"]
    assert named["digest"] == trained_on != Manifest.load(data).digest
    assert named["train"] == {"images": 24, "captions": 48}


def test_export_needs_no_data(run, data, tmp_path):
    shutil.rmtree(data)
    export(run, tmp_path / "bundle")
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "- folder: 24 images, 48 captions" in card


def test_older_runs_read_the_manifest(run, data):
    forget_record(run)
    (record,) = RunDir.open(run).data_records()
    assert record.digest == Manifest.load(data).digest


def test_older_runs_refuse_data_prepared_anew(run, data, tmp_path):
    forget_record(run)
    prepare_anew(data)
    with pytest.raises(PreparedDataError, match="prepared anew since the run was trained"):
        export(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_experiments_refuse_data_prepared_anew(run, data):
    prepare_anew(data)
    with pytest.raises(PreparedDataError, match="prepared anew"):
        load_run(run).held_out()


@pytest.mark.parametrize("copied", [False, True])
def test_the_same_data_twice_is_refused(data, tmp_path, copied):
    other = shutil.copytree(data, tmp_path / "copy") if copied else data
    with pytest.raises(
        PreparedDataError, match=f"same data given twice: .*data and .*{other.name}"
    ):
        load_sets([data, other], "train")


def test_training_on_data_twice_leaves_no_run(data, tmp_path):
    with pytest.raises(PreparedDataError, match="given twice"):
        start(small_recipe(), [data, data], tmp_path / "run", lambda step, figures: None)
    assert not (tmp_path / "run").exists()
