"""Batches are pure functions of seed and index."""

from dataclasses import replace

import pytest
import torch

from training.common.errors import PreparedDataError
from training.config.config import AugmentConfig
from training.data.batches import BatchSource, choose_captions, load_sets
from training.data.sampling import epoch_rows, split_batch

PLAIN = AugmentConfig(flip=False, rotate=0.0, drop_caption=0.0)


def source(pictures, augment=None, seed=0):
    return BatchSource([pictures], 8, 0.5, augment or AugmentConfig(rotate=0.5), seed)


def test_a_batch_depends_on_seed_and_index_alone(pictures):
    first = source(pictures)
    expected = [first.batch(i) for i in range(5)][4]
    again = source(pictures).batch(4)
    assert all(torch.equal(a, b) for a, b in zip(expected, again, strict=True))
    assert not torch.equal(again.images, source(pictures, seed=1).batch(4).images)


def test_every_picture_comes_once_an_epoch():
    rows = torch.cat([epoch_rows(24, 8, i, seed=3) for i in range(6)])
    assert rows[:24].unique().numel() == 24
    assert rows[24:].unique().numel() == 24
    assert not torch.equal(rows[:24], rows[24:])


def test_batch_larger_than_the_set_wraps_around():
    assert epoch_rows(3, 8, 0, seed=0).unique().numel() == 3


def test_every_caption_is_drawn_eventually():
    offsets = torch.tensor([0, 5, 7])
    drawn = torch.stack([choose_captions(offsets, torch.rand(2)) for _ in range(200)])
    assert drawn[:, 0].unique().tolist() == [0, 1, 2, 3, 4]
    assert drawn[:, 1].unique().tolist() == [5, 6]


def test_dropped_captions_are_zero_vectors(pictures):
    all_dropped = source(pictures, replace(PLAIN, drop_caption=1.0)).batch(0)
    none_dropped = source(pictures, PLAIN).batch(0)
    assert not all_dropped.caption.any()
    assert none_dropped.caption.any(dim=1).all()


def test_a_small_set_is_not_drowned():
    assert split_batch([6, 96], 10, 1.0) == [1, 9]
    assert split_batch([6, 96], 10, 0.5) == [2, 8]
    assert split_batch([6, 96], 10, 0.0) == [5, 5]


def test_pictures_and_their_captions_stay_together(pictures):
    """Each picture is marked with its number, and its vectors too."""
    count = len(pictures)
    marks = torch.arange(count)
    images = marks.view(-1, 1, 1, 1).expand(count, 3, 64, 64).to(torch.uint8)
    vectors = marks.repeat_interleave(2)[:, None].half().expand(-1, 8)
    batch = source(replace(pictures, images=images, caption_vectors=vectors), PLAIN).batch(1)
    levels = ((batch.images[:, 0, 0, 0] + 1) * 127.5).round()
    assert torch.equal(levels, batch.caption[:, 0])


def test_a_missing_split_is_one_clear_error(prepared):
    with pytest.raises(PreparedDataError, match="no split 'dev'"):
        load_sets([prepared], "dev")
