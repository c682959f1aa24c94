"""Sets that stay on disk: the same rules for batches, and memory that stays flat."""

from dataclasses import replace

import psutil
import pytest
import torch

from tests.helpers.training.processes import answer
from tests.helpers.training.run_comparison import assert_same_end
from tests.helpers.training.small_run import small_recipe, write_prepared
from training.common.errors import PreparedDataError
from training.config.config import AugmentConfig
from training.data.batches import BatchSource, load_sets
from training.data.loader import BatchParts, Loader, interleave
from training.data.manifest import Manifest
from training.data.sampling import lane_rows
from training.data.streaming_dataset import open_split
from training.trainer.run import resume, start

STREAM = ("loading.stream=true", "loading.lanes=4")
MIB = 2**20


def source(prepared, seed=0, keep=4):
    sets = load_sets([prepared], "train", keep=keep)
    return BatchSource(sets, 8, 0.5, AugmentConfig(rotate=0.5), seed, lanes=4)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("blocks", [[6, 6, 6, 6], [5, 1, 9, 3, 6], [24], [1] * 24])
def test_every_row_comes_once_per_epoch(blocks):
    lanes = torch.arange(8) % 4
    rows = torch.cat([lane_rows(torch.tensor(blocks), lanes, i, seed=3) for i in range(6)])
    assert rows[:24].sort().values.tolist() == list(range(24))
    assert rows[24:].sort().values.tolist() == list(range(24))
    assert not torch.equal(rows[:24], rows[24:])


def test_epoch_ending_within_a_batch_is_whole():
    lanes = torch.arange(8) % 4
    rows = torch.cat([lane_rows(torch.tensor([4, 7]), lanes, i, seed=1) for i in range(11)])
    epochs = rows.view(8, 11).sort(dim=1).values
    assert epochs.tolist() == [list(range(11))] * 8


def test_lanes_read_blocks_of_their_own():
    lanes = torch.arange(8) % 4
    rows = torch.stack([lane_rows(torch.full((40,), 10), lanes, i, seed=0) for i in range(50)])
    read = [set((rows[:, lanes == lane] // 10).flatten().tolist()) for lane in range(4)]
    assert [len(blocks) for blocks in read] == [10, 10, 10, 10]
    assert len(set.union(*read)) == 40


def test_streamed_pictures_are_those_in_memory(prepared, pictures):
    rows = torch.tensor([23, 0, 7, 6, 0])
    streamed, there = open_split(prepared, "train", 1).gather(rows), pictures.gather(rows)
    assert torch.equal(streamed.images, there.images)
    assert torch.equal(streamed.caption_vectors, there.caption_vectors)
    assert streamed.captions == there.captions
    assert streamed.file_names == [f"{i}.png" for i in rows.tolist()]


def test_rank_reads_only_its_rows_of_a_batch(prepared):
    whole = source(prepared).batch(1)
    half = source(prepared)
    assert same(half.batch(1, slice(1, None, 2)), [field[1::2] for field in whole])
    assert half.sets[0].read.cache_info().misses <= 3  # of the 4 blocks that all lanes read


def test_rows_are_split_over_ranks_and_their_workers(prepared):
    whole = source(prepared).batch(1)
    parts = BatchParts(source(prepared), first=1, step=2, parts=2)  # rank 1 of 2, two workers
    assert same(interleave([parts[2], parts[3]]), [field[1::2] for field in whole])


def test_workers_change_no_batch_and_begin_anywhere(prepared):
    here, ahead = source(prepared), Loader(source(prepared), workers=2)
    indices = [5, 6, 2]  # as after a resume, and after a roll-back
    assert all(same(ahead.batch(i), here.batch(i)) for i in indices)
    ahead.close()


@pytest.mark.slow
def test_streamed_run_with_workers_resumes_to_same_weights(prepared, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    start(small_recipe(*STREAM, "run.steps=4"), [prepared], whole, lambda step, figures: None)
    recipe = small_recipe(*STREAM, "loading.workers=2", "run.steps=3")
    start(recipe, [prepared], cut, lambda step, figures: None)
    resume(cut, ["run.steps=4", "loading.workers=1"], lambda step, figures: None)
    assert_same_end(whole, cut)


def test_a_fixed_batch_comes_from_few_blocks(tmp_path):
    streamed = open_split(write_prepared(tmp_path, count=80, row_group=2), "train", 1)
    rows = streamed.sample(20, torch.Generator())
    assert rows.unique().numel() == 20
    assert (rows // 2).unique().numel() <= 16
    assert streamed.sample(100, torch.Generator()).unique().numel() == 80


def test_changed_shard_is_refused_on_open(tmp_path):
    shard = next(write_prepared(tmp_path).glob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(PreparedDataError, match="digest differs"):
        open_split(tmp_path, "train", 1)


def test_set_larger_than_memory_is_refused_with_advice(prepared, tmp_path):
    huge = {"train": {"images": 10**10, "captions": 10**10}}
    replace(Manifest.load(prepared), splits=huge).save(tmp_path)
    with pytest.raises(PreparedDataError, match="stream it"):
        load_sets([tmp_path], "train")


def growth(folder, keep):
    """MiB that reading a set and going through much of it adds to a process, at the most."""
    me = psutil.Process()
    source(folder, keep=keep).batch(0)  # what only the first batch imports
    before = peak = me.memory_info().rss
    batches = source(folder, keep=keep)
    for index in range(40):
        batches.batch(index)
        peak = max(peak, me.memory_info().rss)
    return (peak - before) / MIB


@pytest.mark.slow
def test_streaming_memory_stays_flat_over_ten_fold_growth(tmp_path):
    small = write_prepared(tmp_path / "small", count=600, row_group=100)
    large = write_prepared(tmp_path / "large", count=6000, row_group=100)
    streamed = [answer(growth, folder, 5) for folder in (small, large)]
    in_memory = [answer(growth, folder, 0) for folder in (small, large)]
    assert streamed[1] - streamed[0] < 10
    assert in_memory[1] - in_memory[0] > 40  # pictures alone: 5400 of 66×66×3 bytes, 67 MiB
