"""Dataset that stays on disk: pictures are read and decoded when a batch needs them."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from training.data.manifest import Manifest
from training.data.memory_dataset import PreparedSplit, decode_table, open_manifest, verify_shard
from training.data.sampling import lane_rows

# Maximum number of blocks for a random sample, since each block is read as a whole.
MAX_SAMPLE_BLOCKS = 16


class RowBlock(NamedTuple):
    """A row group of a shard, with its number of pictures: the unit of reading."""

    shard: Path
    group: int
    rows: int


class StreamedSplit:
    """One split on disk, with an LRU cache of `keep` compressed blocks."""

    def __init__(self, manifest: Manifest, blocks: list[RowBlock], keep: int) -> None:
        self.manifest, self.blocks, self.keep = manifest, blocks, keep
        self.counts = torch.tensor([block.rows for block in blocks])
        self.ends = self.counts.cumsum(0)
        self.read = lru_cache(maxsize=keep)(read_block)

    def __reduce__(self) -> tuple[type, tuple[Manifest, list[RowBlock], int]]:
        """Pickle without the cache."""
        return type(self), (self.manifest, self.blocks, self.keep)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def gather(self, rows: Tensor) -> PreparedSplit:
        """Return the pictures of `rows`, int64 `(n,)`, in their order; only these are decoded."""
        which = torch.searchsorted(self.ends, rows, right=True)
        # Block by block: each is read once, even with a cache of one block.
        order = which.argsort(stable=True)
        tables = []
        for number in which.unique().tolist():
            start = self.ends[number] - self.counts[number]
            here = rows[order][which[order] == number] - start
            tables.append(self.read(self.blocks[number]).take(pa.array(here.numpy())))
        return decode_table(pa.concat_tables(tables), self.manifest).gather(order.argsort())

    def batch_rows(self, index: int, lanes: Tensor, seed: int) -> Tensor:
        """Return the rows of a batch, int64 `(share,)`; each lane reads its own blocks."""
        return lane_rows(self.counts, lanes, index, seed)

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw up to `count` distinct rows from few blocks."""
        blocks = torch.randperm(len(self.blocks), generator=rng)
        enough = torch.searchsorted(self.counts[blocks].cumsum(0), count) + 1
        chosen = blocks[: max(MAX_SAMPLE_BLOCKS, int(enough))].tolist()
        rows = [torch.arange(int(self.ends[b] - self.counts[b]), int(self.ends[b])) for b in chosen]
        pool = torch.cat(rows)
        return pool[torch.randperm(len(pool), generator=rng)[:count]]


def open_split(folder: Path, split: str, keep: int) -> StreamedSplit:
    """Open one split of a prepared folder, checking the digest of every shard.

    Raises:
        PreparedDataError: no such folder or split, or changed or missing shards.
    """
    manifest = open_manifest(folder, split)
    blocks = []
    for name in manifest.shards_of(split):
        shard = verify_shard(folder, name, manifest)
        about = pq.read_metadata(shard)
        groups = range(about.num_row_groups)
        blocks += [RowBlock(shard, group, about.row_group(group).num_rows) for group in groups]
    return StreamedSplit(manifest, blocks, keep)


def read_block(block: RowBlock) -> pa.Table:
    """Read a block without decoding its pictures."""
    with pq.ParquetFile(block.shard) as file:
        # Without threads: several processes read in parallel.
        return file.read_row_group(block.group, use_threads=False)
