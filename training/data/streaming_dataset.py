"""A split that stays on disk: pictures are read and decoded when a batch asks for them."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from training.data.manifest import Manifest
from training.data.memory_dataset import PreparedSplit, checked_shard, open_manifest, to_memory
from training.data.sampling import lane_rows

# A fixed batch comes from so many blocks at most: each is read whole, for whatever of it.
BLOCKS_OF_SOME = 16


class RowBlock(NamedTuple):
    """A row group of a shard, the least that is read at once: what `prepare` wrote as one.

    Attributes:
        shard: path of its file.
        group: its number there.
        rows: pictures in it.
    """

    shard: Path
    group: int
    rows: int


class StreamedSplit:
    """One split on disk, of which a few blocks are in memory, as compressed as they are there.

    Args:
        manifest: of the whole folder.
        blocks: all of the split's, in order.
        keep: how many of those that were used last stay in memory.
    """

    def __init__(self, manifest: Manifest, blocks: list[RowBlock], keep: int) -> None:
        self.manifest, self.blocks, self.keep = manifest, blocks, keep
        self.counts = torch.tensor([block.rows for block in blocks])
        self.ends = self.counts.cumsum(0)
        self.read = lru_cache(maxsize=keep)(read_block)

    def __reduce__(self) -> tuple[type, tuple[Manifest, list[RowBlock], int]]:
        """Go to a loader's worker without what was read."""
        return type(self), (self.manifest, self.blocks, self.keep)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def take(self, rows: Tensor) -> PreparedSplit:
        """Return some pictures, in the order of `rows`, int64 `(n,)`; they alone are decoded."""
        which = torch.searchsorted(self.ends, rows, right=True)
        # Block by block, so that each is read once though the least memory keeps but one.
        order = which.argsort(stable=True)
        tables = []
        for number in which.unique().tolist():
            start = self.ends[number] - self.counts[number]
            here = rows[order][which[order] == number] - start
            tables.append(self.read(self.blocks[number]).take(pa.array(here.numpy())))
        return to_memory(pa.concat_tables(tables), self.manifest).take(order.argsort())

    def turn(self, index: int, lanes: Tensor, seed: int) -> Tensor:
        """Return the rows in turn, each lane's from blocks of its own."""
        return lane_rows(self.counts, lanes, index, seed)

    def some(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw `count` different rows, from few blocks, or as many as there are."""
        blocks = torch.randperm(len(self.blocks), generator=rng)
        enough = torch.searchsorted(self.counts[blocks].cumsum(0), count) + 1
        chosen = blocks[: max(BLOCKS_OF_SOME, int(enough))].tolist()
        rows = [torch.arange(int(self.ends[b] - self.counts[b]), int(self.ends[b])) for b in chosen]
        pool = torch.cat(rows)
        return pool[torch.randperm(len(pool), generator=rng)[:count]]


def open_split(folder: Path, split: str, keep: int) -> StreamedSplit:
    """Open one split of a prepared folder, checking the digest of every shard.

    Args:
        folder: what `prepare` wrote.
        split: such as `train`.
        keep: blocks that stay in memory.

    Raises:
        PreparedDataError: no such folder or split, or changed or missing shards.
    """
    manifest = open_manifest(folder, split)
    blocks = []
    for name in manifest.shards_of(split):
        shard = checked_shard(folder, name, manifest)
        about = pq.read_metadata(shard)
        groups = range(about.num_row_groups)
        blocks += [RowBlock(shard, group, about.row_group(group).num_rows) for group in groups]
    return StreamedSplit(manifest, blocks, keep)


def read_block(block: RowBlock) -> pa.Table:
    """Read a block; its pictures stay PNG."""
    with pq.ParquetFile(block.shard) as file:
        # Without threads of its own: where many processes read, they are many enough.
        return file.read_row_group(block.group, use_threads=False)
