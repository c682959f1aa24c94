"""A run keeps its best checkpoint, by held-out pictures, and snapshots of its generator."""

import json

import pytest
import torch

from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.run_comparison import assert_same_end
from tests.helpers.training.small_run import small_recipe
from training.common.errors import RecipeError, RunError
from training.config.load import load_recipe
from training.runs.checkpoints.snapshots import load_snapshot, snapshots
from training.runs.checkpoints.train_state import build_train_state
from training.runs.metric_logger import read_log
from training.trainer.best_checkpoint_callback import BEST_STATE
from training.trainer.run import resume, start

KEEPING = ["keep.metric=hole_psnr", "keep.every=2", "keep.pictures=8", "run.snapshot_every=2"]


@pytest.fixture(scope="module")
def kept(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "kept"
    start(small_recipe(*KEEPING), [prepared], folder, no_progress)
    return folder


def test_best_checkpoint_has_the_highest_logged_figure(kept):
    figures = {
        int(entry["step"]): entry["validation/hole_psnr"]
        for entry in read_log(kept)
        if "validation/hole_psnr" in entry
    }
    best = json.loads((kept / "checkpoints" / "best" / "best.json").read_text())
    assert sorted(figures) == [2, 4, 6]
    assert best["step"] == max(figures, key=figures.__getitem__)
    assert best["value"] == max(figures.values())


def test_keeping_changes_nothing_of_what_a_run_computes(kept, prepared, tmp_path):
    off = ["keep.every=0", "run.snapshot_every=0"]
    start(small_recipe(*off), [prepared], tmp_path / "off", no_progress)
    assert_same_end(kept, tmp_path / "off", but=f"/{BEST_STATE}")
    assert not snapshots(tmp_path / "off")


def test_a_resumed_run_remembers_what_its_best_was(kept, prepared, tmp_path):
    folder = tmp_path / "cut"
    start(small_recipe(*KEEPING, "run.steps=4"), [prepared], folder, no_progress)
    resume(folder, ["run.steps=6"], no_progress)
    best = [place / "checkpoints" / "best" / "best.json" for place in (kept, folder)]
    assert best[0].read_text() == best[1].read_text()


def test_a_run_can_keep_its_best_by_kid(prepared, tmp_path):
    start(small_recipe("keep.every=3", "run.steps=3"), [prepared], tmp_path / "kid", no_progress)
    best = json.loads((tmp_path / "kid" / "checkpoints" / "best" / "best.json").read_text())
    assert (best["metric"], best["step"]) == ("kid", 3)


def test_hole_psnr_is_refused_where_nothing_is_seen():
    with pytest.raises(RecipeError, match="needs a reference image"):
        load_recipe("dcgan", ["keep.metric=hole_psnr"])


def test_snapshots_are_of_the_generator_at_their_steps(kept):
    generator = build_train_state(small_recipe(), 8, torch.device("cpu")).generator
    found = snapshots(kept)
    assert list(found) == [2, 4, 6]
    weights = []
    for path in found.values():
        load_snapshot(path, generator)
        weights.append(generator.fusion[0].weight.clone())
    assert not torch.equal(weights[0], weights[1])


def test_snapshot_of_another_network_is_refused(kept):
    other = small_recipe("generator.settings.width=16")
    generator = build_train_state(other, 8, torch.device("cpu")).generator
    with pytest.raises(RunError, match="cannot be loaded"):
        load_snapshot(snapshots(kept)[2], generator)
