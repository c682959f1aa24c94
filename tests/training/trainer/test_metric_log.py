"""Metrics go to log.jsonl and to Accelerate's trackers."""

import io
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.small_run import small_recipe
from training.cli.options import with_trackers
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


def test_tensorboard_gets_the_sample_grids(prepared, tmp_path):
    folder = tmp_path / "run"
    start(small_recipe("run.steps=3"), [prepared], folder, no_progress)
    board = EventAccumulator(str(folder / "tensorboard")).Reload()
    for name in ("fixed", "fresh"):
        images = board.Images(f"samples/{name}")
        assert [image.step for image in images] == [0, 3]
        for image in images:
            with Image.open(folder / f"samples/{name}-{image.step:08d}.png") as file:
                shown = Image.open(io.BytesIO(image.encoded_image_string))
                assert np.array_equal(np.array(shown), np.array(file.convert("RGB")))


class FakeTracker:
    """Records the calls of one of Accelerate's trackers."""

    requires_logging_directory = False
    calls: ClassVar[list] = []

    def __init__(self, name):
        self.calls.append(("name", name))

    def start(self):
        self.calls.append(("start",))

    def store_init_configuration(self, values):
        self.calls.append(("configuration", values))

    def log(self, values, step):
        self.calls.append(("log", step, values))

    def log_images(self, values, step):
        self.calls.append(("images", step, {key: value.shape for key, value in values.items()}))

    def finish(self):
        self.calls.append(("finish",))


@pytest.fixture
def fake(monkeypatch):
    """Accelerate with a tracker of ours in the place of one that is not installed."""
    monkeypatch.setattr(FakeTracker, "calls", [])
    kinds = {"wandb": FakeTracker, "aim": FakeTracker}
    monkeypatch.setattr("accelerate.tracking.LOGGER_TYPE_TO_CLASS", kinds)
    monkeypatch.setattr("accelerate.tracking.get_available_trackers", lambda: [*kinds])
    return FakeTracker.calls


def test_another_tracker_gets_all_of_a_run(fake, prepared, tmp_path):
    recipe = small_recipe(*with_trackers(["run.steps=3"], ["wandb"]))
    start(recipe, [prepared], tmp_path / "run", no_progress)
    assert [call[0] for call in fake[:3]] == ["name", "start", "configuration"]
    assert fake[0][1] == "run" and fake[-1] == ("finish",)
    assert fake[2][1]["run.batch_size"] == 4 and fake[2][1]["objective.kind"] == "gan"
    logged = [(call[1], call[2]["generator/l2"]) for call in fake if call[0] == "log"]
    assert logged == [(e["step"], e["generator/l2"]) for e in read_log(tmp_path / "run")]
    grids = [call for call in fake if call[0] == "images"]
    assert [call[1] for call in grids] == [0, 3]
    assert all(shape[0] == 1 and shape[3] == 3 for shape in grids[0][2].values())


def test_some_trackers_take_single_images(fake, prepared, tmp_path):
    recipe = small_recipe("run.steps=1", 'run.trackers=["aim"]')
    start(recipe, [prepared], tmp_path / "run", no_progress)
    shapes = next(call for call in fake if call[0] == "images")[2]
    assert set(shapes) == {"samples/fixed", "samples/fresh"}
    assert all(len(shape) == 3 for shape in shapes.values())


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
