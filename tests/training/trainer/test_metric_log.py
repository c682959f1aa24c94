"""Metrics go to log.jsonl and to Accelerate's trackers."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.small_run import small_recipe
from training.common.errors import RecipeError, RunError
from training.runs.metric_logger import read_log
from training.trainer.run import resume, start


def test_tensorboard_gets_the_metrics_of_the_log(prepared, tmp_path):
    folder = tmp_path / "run"
    start(small_recipe("run.steps=2"), [prepared], folder, no_progress)
    resume(folder, ["run.steps=3"], no_progress)
    board = EventAccumulator(str(folder / "tensorboard")).Reload()
    logged = [(e.step, pytest.approx(e.value)) for e in board.Scalars("generator/l2")]
    assert logged == [(entry["step"], entry["generator/l2"]) for entry in read_log(folder)]


def test_a_run_without_trackers_writes_its_log(prepared, tmp_path):
    start(small_recipe("run.steps=1", "run.trackers=[]"), [prepared], tmp_path / "run", no_progress)
    assert len(read_log(tmp_path / "run")) == 1
    assert not (tmp_path / "run/tensorboard").exists()


def test_tracker_without_its_package_is_refused(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr("accelerate.tracking.get_available_trackers", lambda: [])
    with pytest.raises(RunError, match="package of 'wandb' is not installed"):
        start(small_recipe('run.trackers=["wandb"]'), [prepared], tmp_path / "run", no_progress)
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_is_refused():
    with pytest.raises(RecipeError, match="trackers"):
        small_recipe('run.trackers=["papyrus"]')
