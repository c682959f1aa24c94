"""Shards in the making: pictures first, the caption vectors when all captions are known."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.data.manifest import file_digest
from training.data.memory_dataset import shard_schema
from training.data.sources import Example, SkippedItems
from training.data.sources.skip_counts import EXAMPLES, SkipCounts

logger = logging.getLogger(__name__)

ROW_GROUP = 1000


@dataclass
class ShardWriter:
    """Shards without vectors, filled picture by picture, and what was counted on the way.

    Attributes:
        folder: where the shards are made.
        shard_images: most pictures in a shard.
        counts: pictures and captions by split.
        passed_over: what is not used, in the order met.
        distinct: every different caption -> its number.
        written: paths of the draft shards by split.
        waiting: rows not yet written, by split.
        reasons: how often each kind of reason for passing over was met.
    """

    folder: Path
    shard_images: int
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    passed_over: list[SkippedItems] = field(default_factory=list)
    distinct: dict[str, int] = field(default_factory=dict)
    written: dict[str, list[Path]] = field(default_factory=dict)
    waiting: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    reasons: SkipCounts = field(default_factory=SkipCounts)

    def add(self, example: Example, png: bytes, captions: Sequence[str]) -> None:
        """Take in a picture (as PNG) with its captions; a full shard is written out."""
        counts = self.counts.setdefault(example.split, {"images": 0, "captions": 0})
        counts["images"] += 1
        counts["captions"] += len(captions)
        for caption in captions:
            self.distinct.setdefault(caption, len(self.distinct))
        rows = self.waiting.setdefault(example.split, [])
        rows.append(
            {
                "image": {"bytes": png, "path": printable(example.file_name)},
                "file_name": printable(example.file_name),
                "label": printable(example.label),
                "captions": list(captions),
            }
        )
        if len(rows) == self.shard_images:
            self.flush(example.split)

    def pass_over(self, item: SkippedItems) -> None:
        """Name an unused picture in the manifest, and the first of each reason in the log."""
        item = SkippedItems(printable(item.file_name), printable(item.reason))
        self.passed_over.append(item)
        told = self.reasons.add(item.reason)
        if told <= EXAMPLES:
            logger.warning("passed over %s: %s", item.file_name, item.reason)
        if told == EXAMPLES:
            logger.warning("(more of this kind are counted; the manifest will name them)")

    def flush(self, split: str) -> None:
        """Write out what is waiting for a split."""
        rows = self.waiting.pop(split, [])
        if rows:
            paths = self.written.setdefault(split, [])
            paths.append(self.folder / f"{split}-{len(paths):05d}.draft")
            pq.write_table(pa.Table.from_pylist(rows), paths[-1], compression="none")


def printable(name: str) -> str:
    r"""Write as `\udce9` what is not Unicode in the name of a file, and can be stored nowhere."""
    return name.encode("utf-8", "backslashreplace").decode()


def finish_shards(
    drafts: ShardWriter,
    vectors: NDArray[np.float16],
    progress: Callable[[str, int, int | None], None],
) -> dict[str, str]:
    """Draft shards -> final shards under `data/`; their digests by path.

    Args:
        drafts: all flushed.
        vectors: float16 (captions, D); row `drafts.distinct[caption]` belongs to each caption.
        progress: told how many shards are done.
    """
    schema = shard_schema(vectors.shape[1])
    (drafts.folder / "data").mkdir()
    shards: dict[str, str] = {}
    total = sum(len(paths) for paths in drafts.written.values())
    for split, paths in drafts.written.items():
        for number, draft in enumerate(paths):
            name = f"data/{split}-{number:05d}-of-{len(paths):05d}.parquet"
            table = _with_vectors(pq.read_table(draft), drafts.distinct, vectors).cast(schema)
            pq.write_table(table, drafts.folder / name, row_group_size=ROW_GROUP)
            draft.unlink()
            shards[name] = file_digest(drafts.folder / name)
            progress("shards", len(shards), total)
    return shards


def _with_vectors(
    table: pa.Table, distinct: dict[str, int], vectors: NDArray[np.float16]
) -> pa.Table:
    captions = table["captions"].combine_chunks()
    rows = [distinct[caption] for caption in captions.flatten().to_pylist()]
    flat = pa.array(vectors[rows].reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    lengths = captions.value_lengths().to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return table.append_column("caption_vectors", pa.ListArray.from_arrays(offsets, column))
