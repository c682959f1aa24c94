"""The judge that is shipped, and another one."""

import pytest

from training.common.errors import RunError
from training.evaluation.scorers import judge as judging
from training.evaluation.scorers.judge import load_judge
from training.evaluation.scorers.kinds import SCORER_KINDS, save_scorer


def test_shipped_judge_is_named_in_reports():
    judge = load_judge(384)
    assert judge.digest == f"sha256:{judging.DIGEST}"
    assert not any(p.requires_grad for p in judge.scorer.parameters())


def test_a_changed_judge_is_refused(monkeypatch):
    monkeypatch.setattr(judging, "DIGEST", "0" * 64)
    with pytest.raises(RunError, match=r"judge\.safetensors is not the file of this version"):
        load_judge(384)


def test_captions_of_another_length_need_their_own_judge(tmp_path):
    assert load_judge(8) is None
    save_scorer(SCORER_KINDS["judge"].build(8), tmp_path / "own.safetensors")
    assert load_judge(8, tmp_path / "own.safetensors").digest != judging.DIGEST
