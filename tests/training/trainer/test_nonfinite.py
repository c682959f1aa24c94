"""Losses and weights that stop being finite: what is said, counted and kept."""

import json

import pytest
import torch

import training.trainer.trainer
from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.small_run import small_recipe
from training.common.errors import NonFiniteError
from training.runs.checkpoints.checkpoint import load_checkpoint
from training.trainer.run import resume, start


@pytest.fixture
def nan_at_three(monkeypatch):
    """Let the discriminator's loss be NaN in step 3, whatever the weights are."""
    sound = training.trainer.trainer.update

    def update(optimizer, player, terms, step):
        if (player, step) == ("discriminator", 3):
            terms = {name: term * torch.nan for name, term in terms.items()}
        return sound(optimizer, player, terms, step)

    monkeypatch.setattr(training.trainer.trainer, "update", update)


def test_nan_is_reported_with_reproduction_and_advice(nan_at_three, prepared, tmp_path):
    run = tmp_path / "run"
    recipe = small_recipe("run.checkpoint_every=1", "engine.precision=bf16")
    with pytest.raises(NonFiniteError, match=r"is nan at step 3: .*lr=0\.0001") as first:
        start(recipe, [prepared], run, no_progress)
    assert "as before" not in str(first.value)
    for time in (2, 3):
        with pytest.raises(NonFiniteError) as again:
            resume(run, [], no_progress)
        text = str(again.value)
        assert f"the same as before, for the {time}. time" in text
        for hint in ("engine.precision=fp32", "step-00000003 away", "from step 3"):
            assert hint in text
        assert "\n" not in text
    assert json.loads((run / "nonfinite.json").read_text())["times"] == 3


def test_nonfinite_weights_never_replace_a_checkpoint(prepared, tmp_path, monkeypatch):
    sound = training.trainer.trainer.Trainer.train_step

    def spoil(self, step):
        figures = sound(self, step)
        if step == 3:
            with torch.no_grad():
                next(self.state.generator.parameters()).fill_(torch.inf)
        return figures

    monkeypatch.setattr(training.trainer.trainer.Trainer, "train_step", spoil)
    with pytest.raises(NonFiniteError, match=r"weight generator\..* after step 4: no checkpoint"):
        start(small_recipe("run.checkpoint_every=2"), [prepared], tmp_path / "run", no_progress)
    assert load_checkpoint(tmp_path / "run/checkpoints")[0] == 2
