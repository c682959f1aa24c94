"""The best checkpoint, roll-backs, and the figures of a validation batch."""

import json

import pytest
import torch

from models.geometry import CENTRE
from training.common.errors import RunError
from training.runs.checkpoints.best_checkpoint import BestRecord, save_best
from training.runs.checkpoints.checkpoint import (
    checkpoints,
    load_checkpoint,
    remove_affected_checkpoints,
    save_checkpoint,
)
from training.trainer.best_checkpoint_callback import validation_metrics


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("kid", [0.5, 0.4, 0.4, 0.6, 0.1], [True, True, False, False, True]),
        ("hole_psnr", [14.0, 15.0, 15.0, 13.0, 16.0], [True, True, False, False, True]),
    ],
)
def test_best_is_the_lowest_kid_or_highest_psnr(metric, values, expected):
    best = BestRecord(metric)
    assert [best.update(i, {metric: value}) for i, value in enumerate(values)] == expected
    assert (best.step, best.value) == (4, values[-1])


def test_what_was_not_measured_is_never_the_best():
    assert not BestRecord("kid").update(1, {"hole_psnr": 30.0})


def test_an_unknown_metric_is_refused():
    with pytest.raises(RunError, match="no metric 'fid'"):
        BestRecord("fid")


def test_best_resumes_its_state_unless_the_metric_changed():
    best, other = BestRecord("kid"), BestRecord("hole_psnr")
    state = BestRecord("kid", 0.1, 7).state_dict()
    best.load_state_dict(state)
    other.load_state_dict(state)
    assert not best.update(8, {"kid": 0.2})
    assert other.value is None


def test_the_best_checkpoint_outlives_newer_ones(tmp_path):
    for step in (2, 4, 6):
        save_checkpoint(tmp_path, step, {"weight": torch.tensor([float(step)])})
        if step == 2:
            kept = save_best(tmp_path, BestRecord("kid", 0.1, step))
    assert [place.name for place in checkpoints(tmp_path)] == ["step-00000004", "step-00000006"]
    assert json.loads((kept / "state.json").read_text())["step"] == 2
    assert json.loads((kept / "best.json").read_text())["value"] == 0.1


def test_checkpoint_of_another_step_is_not_the_best(tmp_path):
    save_checkpoint(tmp_path, 2, {})
    with pytest.raises(RunError, match="no checkpoint of step 4"):
        save_best(tmp_path, BestRecord("kid", 0.1, 4))


def test_rollback_goes_to_last_checkpoint_before_the_problem(tmp_path):
    for step in (2, 4):
        save_checkpoint(tmp_path, step, {})
    remove_affected_checkpoints(tmp_path, since=4, every=1)
    assert load_checkpoint(tmp_path)[0] == 2


def test_without_a_good_checkpoint_nothing_is_removed(tmp_path):
    save_checkpoint(tmp_path, 4, {})
    with pytest.raises(RunError, match="before step 4"):
        remove_affected_checkpoints(tmp_path, since=4, every=1)
    assert load_checkpoint(tmp_path)[0] == 4


@pytest.mark.parametrize(("every", "left"), [(2, 4), (1, 6), (100, 6)])
def test_rollback_prefers_the_last_verified_checkpoint(every, left, tmp_path):
    for step in (4, 6):
        save_checkpoint(tmp_path, step, {})
    remove_affected_checkpoints(tmp_path, 7, every)
    assert load_checkpoint(tmp_path)[0] == left


def means(pictures):
    return pictures.float().mean(dim=(2, 3)) / 255


def test_composites_get_both_figures_and_order_is_right():
    rng = torch.Generator().manual_seed(0)
    reals = torch.randint(256, (8, 3, 64, 64), generator=rng).byte()
    near, far = reals.clone(), reals.clone()
    near[:, :, CENTRE, CENTRE] ^= 1
    far[:, :, CENTRE, CENTRE] = 255
    better, worse = (validation_metrics(p, reals, means) for p in (near, far))
    assert better["hole_psnr"] > 48 > worse["hole_psnr"]
    assert better["kid"] < worse["kid"]


def test_whole_images_have_neither_hole_psnr_nor_kid():
    reals = torch.zeros(8, 3, 64, 64, dtype=torch.uint8)
    assert validation_metrics(reals + 1, reals, None) == {}
    assert set(validation_metrics(reals[..., :32, :32], reals[..., :32, :32], means)) == {"kid"}
