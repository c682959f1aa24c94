"""Which arithmetic a run takes."""

import pytest
import torch

from tests.helpers.training.small_run import small_recipe
from training.optim import precision
from training.runs.run_dir import RunDir
from training.trainer.run import resume, start


@pytest.mark.parametrize(("hardware", "taken"), [(True, "bf16"), (False, "fp32")])
def test_auto_precision_follows_processor_and_is_kept(
    hardware, taken, prepared, tmp_path, monkeypatch
):
    monkeypatch.setattr(precision, "has_bf16", lambda device: hardware)
    recipe = small_recipe("run.steps=1", "engine.precision=auto")
    start(recipe, [prepared], tmp_path, lambda step, figures: None)
    assert RunDir.open(tmp_path).recipe.engine.precision == taken


def test_auto_precision_at_resume_is_resolved_too(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    recipe = small_recipe("run.steps=1", "engine.precision=fp32")
    start(recipe, [prepared], tmp_path, lambda step, figures: None)
    resume(tmp_path, ["engine.precision=auto", "run.steps=2"], lambda step, figures: None)
    assert RunDir.open(tmp_path).recipe.engine.precision == "fp32"


def test_explicit_precision_is_used(monkeypatch):
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    assert [precision.pick_precision(name, "cpu") for name in ("bf16", "fp32")] == ["bf16", "fp32"]
    with precision.autocast("bf16", "cpu"):
        assert torch.ones(2, 2).mm(torch.ones(2, 2)).dtype == torch.bfloat16
    with precision.autocast("auto", "cpu"):
        assert torch.ones(2, 2).mm(torch.ones(2, 2)).dtype == torch.float32
