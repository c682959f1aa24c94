"""Checkpoints are whole, few, and give back what went in."""

import pytest
import torch

from tests.helpers.errors import raise_disk_full
from training.common.errors import OutputError, RunError
from training.runs.checkpoints.checkpoint import (
    checkpoints,
    load_checkpoint,
    newest_step,
    save_checkpoint,
)

STATE = {"a": {0: {"m": torch.arange(3.0), "step": torch.tensor(2.0)}}, "b": [1, 0.5, None]}


def test_a_checkpoint_gives_back_what_went_in(tmp_path):
    save_checkpoint(tmp_path, 7, STATE)
    step, state = load_checkpoint(tmp_path)
    assert step == 7
    assert torch.equal(state["a"][0]["m"], STATE["a"][0]["m"])
    assert state["b"] == STATE["b"]


def test_the_newest_two_are_kept(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, STATE)
    assert [p.name for p in checkpoints(tmp_path)] == ["step-00000002", "step-00000003"]


def test_half_written_checkpoint_is_ignored(tmp_path):
    save_checkpoint(tmp_path, 1, STATE)
    (tmp_path / ".draft-99").mkdir()
    assert load_checkpoint(tmp_path)[0] == 1


def test_a_damaged_checkpoint_is_one_clear_error(tmp_path):
    folder = save_checkpoint(tmp_path, 1, STATE)
    (folder / "tensors.safetensors").write_bytes(b"junk")
    with pytest.raises(RunError, match="cannot be read"):
        load_checkpoint(tmp_path)


def test_no_checkpoint_is_one_clear_error(tmp_path):
    with pytest.raises(RunError, match="no checkpoint"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["step-00000009.bak", "step-9", "step-00000009 copy", "step-new"])
def test_other_names_are_neither_taken_nor_removed(tmp_path, name):
    save_checkpoint(tmp_path, 1, {"weights": torch.ones(1)})
    (tmp_path / name).mkdir()
    assert newest_step(tmp_path) == 1
    for step in (2, 3, 4):
        save_checkpoint(tmp_path, step, {"weights": torch.ones(1)})
    assert load_checkpoint(tmp_path)[0] == 4
    assert (tmp_path / name).is_dir()


def test_file_with_a_checkpoint_name_is_ignored(tmp_path):
    save_checkpoint(tmp_path, 1, {"weights": torch.ones(1)})
    (tmp_path / "step-00000009").write_text("not a folder")
    assert load_checkpoint(tmp_path)[0] == 1


def test_full_disk_is_an_error_that_keeps_older(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 1, STATE)

    monkeypatch.setattr("training.runs.checkpoints.checkpoint.save_file", raise_disk_full)
    with pytest.raises(OutputError, match="step-00000001 cannot be written: No space left"):
        save_checkpoint(tmp_path, 1, {"a": torch.zeros(1)})
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert torch.equal(load_checkpoint(tmp_path)[1]["a"][0]["m"], STATE["a"][0]["m"])
