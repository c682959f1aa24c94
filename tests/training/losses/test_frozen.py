"""The views and the caption scorer of the hole alone."""

import pytest
import torch

from models.frozen.caption_scorer import CAPTION_DIM
from models.frozen.efficientnet import FrozenWeightsError
from models.geometry import hole_mask, paste
from training.evaluation.scorers.kinds import SCORER_KINDS
from training.losses import frozen
from training.losses.frozen import HoleView, load_hole_scorer, sample_hole_view


def pictures(seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, 64, 64, generator=rng) * 2 - 1


def test_surroundings_change_nothing_and_the_hole_does():
    inside, around, other = pictures(), pictures(1), pictures(2)
    composite = paste(around, hole_mask(2), inside[..., 16:48, 16:48])
    view = HoleView()
    assert torch.equal(view.scorer_input(composite), view.scorer_input(inside))
    assert not torch.equal(view.scorer_input(other), view.scorer_input(inside))


def test_shipped_scorer_reads_what_it_was_trained_on():
    scorer = load_hole_scorer("cpu")
    seen = SCORER_KINDS["hole"].extract(pictures())
    scores = scorer(seen, torch.nn.functional.normalize(torch.randn(2, CAPTION_DIM)))
    assert seen.shape == (2, 155, 4, 4)
    assert scores.shape == (2,)
    assert not any(weight.requires_grad for weight in scorer.parameters())


def test_another_file_is_refused(monkeypatch):
    monkeypatch.setattr(frozen, "HOLE_SCORER_DIGEST", "0" * 64)
    load_hole_scorer.cache_clear()
    with pytest.raises(FrozenWeightsError, match="not the file of this version"):
        load_hole_scorer("cpu")


def test_looks_stay_in_the_hole_and_differ():
    torch.manual_seed(0)
    views = {sample_hole_view(0.1).corner for _ in range(50)}
    assert len(views) > 10
    assert all(0 <= place <= 4 for view in views for place in view)


def test_a_fill_gets_a_gradient_through_it():
    images = pictures().requires_grad_(True)
    HoleView(noise=0.05).scorer_input(images).square().mean().backward()
    assert images.grad[..., 18:46, 18:46].abs().sum() > 0
    assert images.grad[..., :16].abs().sum() == 0
