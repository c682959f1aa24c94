"""A run of the version before modules, classes and attributes were renamed still works."""

import json
import shutil
from pathlib import Path

import pytest

from models.runtime.bundle import load_bundle
from tests.helpers.training.callbacks import no_progress
from training.inference.export import export
from training.monitors.base import read_findings
from training.runs.checkpoints.checkpoint import load_checkpoint
from training.runs.metric_logger import read_log
from training.runs.report.html_report import write_report
from training.trainer.run import resume

RUN = Path(__file__).with_name("run_before_renaming")


@pytest.fixture
def old_run(prepared, pictures, tmp_path):
    """A copy of it, killed after step 2 of 4, on data that exist here."""
    folder = tmp_path / "run"
    shutil.copytree(RUN, folder)
    record = json.loads((folder / "run.json").read_text())
    record["data"] = {str(prepared): pictures.manifest.digest}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_an_old_run_resumes_to_the_same_losses(old_run):
    expected = [entry["generator/adversarial"] for entry in read_log(old_run)]
    resume(old_run, [], no_progress)
    losses = [entry["generator/adversarial"] for entry in read_log(old_run)]
    assert losses == pytest.approx(expected, rel=1e-4)
    assert len(losses) == 4
    assert load_checkpoint(old_run / "checkpoints")[0] == 4
    assert len(read_findings(old_run)) == len(read_findings(RUN))


def test_an_old_run_takes_old_recipe_keys(old_run):
    resume(old_run, ["run.steps=3", "guards.quiet=7", "vanishing.steps=0"], no_progress)
    assert load_checkpoint(old_run / "checkpoints")[0] == 3


def test_an_old_run_becomes_a_bundle(old_run, tmp_path):
    export(old_run, tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle").config.training["steps"] == 2


def test_an_old_run_is_reported(old_run, tmp_path):
    write_report([old_run], tmp_path / "report.html")
    assert "mode collapse" in (tmp_path / "report.html").read_text()
