"""Scorers learn which caption goes with which centre."""

from dataclasses import replace

import pytest
import torch

from models.frozen.scorers import ScorerSettings, plain_scorer
from tests.helpers.training.small_run import write_prepared
from training.common.errors import PreparedDataError, RunError
from training.data.batches import load_sets
from training.data.manifest import Manifest
from training.evaluation.scorers.kinds import SCORER_KINDS, ScorerKind, load_scorer, save_scorer
from training.evaluation.scorers.train import ScorerSchedule, precision_at_1, train_scorer

SMALL = ScorerKind(
    lambda dim: plain_scorer(ScorerSettings(dim, width=8, code=16)), SCORER_KINDS["plain"].extract
)


@pytest.mark.parametrize("once", [False, True])
def test_scorer_learns_its_pictures_and_reloads(once, prepared, tmp_path):
    losses = []
    schedule = ScorerSchedule(steps=60, batch_size=12, lr=5e-3)
    kind = replace(SMALL, cached=once)
    scorer, _ = train_scorer(kind, [prepared], schedule, lambda step, loss: losses.append(loss))
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    (pictures,) = load_sets([prepared], "train")
    assert precision_at_1(scorer, SMALL, pictures) > 0.5  # by chance 1 in 24
    save_scorer(scorer, tmp_path / "scorer.safetensors")
    again = load_scorer(SMALL, tmp_path / "scorer.safetensors", 8)
    centres, captions = torch.rand(2, 3, 32, 32), torch.randn(2, 8)
    assert torch.allclose(again(centres, captions), scorer(centres, captions), atol=1e-2)


def test_damaged_validation_pictures_are_reported_before_training(prepared, tmp_path):
    write_prepared(tmp_path / "other")
    manifest = Manifest.load(tmp_path / "other")
    splits = {**manifest.splits, "dev": {"images": 1, "captions": 1}}
    shards = {**manifest.shards, "dev-00000-of-00001.parquet": "0"}
    replace(manifest, splits=splits, shards=shards).save(tmp_path / "other")
    messages = []
    with pytest.raises(PreparedDataError, match="missing"):
        train_scorer(
            SMALL, [tmp_path / "other"], ScorerSchedule(1), lambda *news: messages.append(news)
        )
    assert messages == []


def test_judge_and_adversary_share_no_feature_network():
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    steering, judge = (SCORER_KINDS[name].extract(images) for name in ("steering", "judge"))
    assert steering.shape == (2, 155, 5, 5)
    assert judge.shape == (2, 1280)


def test_file_that_is_no_scorer_is_one_line(tmp_path):
    (tmp_path / "other.safetensors").write_bytes(b"no such thing")
    with pytest.raises(RunError, match=r"no such scorer at .*other\.safetensors"):
        load_scorer(SMALL, tmp_path / "other.safetensors", 8)
