"""Writing of shards: drafts without caption vectors first, final shards when all are embedded."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.common.console import StageProgress
from training.data.manifest import file_digest
from training.data.memory_dataset import shard_schema
from training.data.sources import Example, SkippedItem

logger = logging.getLogger(__name__)

ROW_GROUP = 1000
LOGGED_PER_KIND = 3  # items of each kind named in the log
MAX_KINDS = 20  # listed in a summary
# Names and numbers in a reason are replaced to obtain its kind.
DETAIL_PATTERN = re.compile(
    r"""'[^']*'|"[^"]*"|\b[0-9a-f]*\d[0-9a-f]*\b|[^\s()]+\.\w+(?=[\s:),]|$)"""
)


@dataclass
class ShardWriter:
    """Writer of draft shards (without caption vectors) of `shard_images` pictures, with counts.

    Attributes:
        distinct: number of each distinct caption.
        draft_paths: paths of the draft shards by split.
        pending: rows not yet written, by split.
        reasons: why items were skipped, by kind of reason.
    """

    folder: Path
    shard_images: int
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    skipped: list[SkippedItem] = field(default_factory=list)
    distinct: dict[str, int] = field(default_factory=dict)
    draft_paths: dict[str, list[Path]] = field(default_factory=dict)
    pending: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)

    def add(self, example: Example, png: bytes, captions: Sequence[str]) -> None:
        """Add a picture with its captions; write the shard when it is full."""
        counts = self.counts.setdefault(example.split, {"images": 0, "captions": 0})
        counts["images"] += 1
        counts["captions"] += len(captions)
        for caption in captions:
            self.distinct.setdefault(caption, len(self.distinct))
        rows = self.pending.setdefault(example.split, [])
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

    def skip(self, item: SkippedItem) -> None:
        """Record a skipped item; log the first items of each kind of reason."""
        item = SkippedItem(printable(item.file_name), printable(item.reason))
        self.skipped.append(item)
        same_kind = self.reasons.setdefault(DETAIL_PATTERN.sub("…", item.reason), [])
        same_kind.append(item.reason)
        if len(same_kind) <= LOGGED_PER_KIND:
            logger.warning("skipped %s: %s", item.file_name, item.reason)
        if len(same_kind) == LOGGED_PER_KIND:
            logger.warning("(more of this kind are not logged; the manifest names all)")

    def log_skipped(self) -> None:
        """Log the number of skipped items by kind of reason, the most frequent first."""
        if self.skipped:
            logger.warning("skipped %d files in all", len(self.skipped))
        kinds = sorted(self.reasons.items(), key=lambda kind: -len(kind[1]))
        for kind, reasons in kinds[:MAX_KINDS]:
            words = kind if len(reasons) > 1 else reasons[0]
            logger.warning("  %s × %s", f"{len(reasons):,}", words)
        if len(kinds) > MAX_KINDS:
            logger.warning("  … and %s more reasons", f"{len(kinds) - MAX_KINDS:,}")

    def flush(self, split: str) -> None:
        """Write the pending rows of a split."""
        rows = self.pending.pop(split, [])
        if rows:
            paths = self.draft_paths.setdefault(split, [])
            paths.append(self.folder / f"{split}-{len(paths):05d}.draft")
            pq.write_table(pa.Table.from_pylist(rows), paths[-1], compression="none")


def printable(name: str) -> str:
    r"""Escape bytes of a file name that are not Unicode (as `\udce9`)."""
    return name.encode("utf-8", "backslashreplace").decode()


def write_final_shards(
    drafts: ShardWriter, vectors: NDArray[np.float16], progress: StageProgress
) -> dict[str, str]:
    """Write the final shards below `data/` and delete the drafts; return digests by path.

    Row `drafts.distinct[caption]` of `vectors`, float16 (captions, D), is that of a caption.
    """
    schema = shard_schema(vectors.shape[1])
    (drafts.folder / "data").mkdir()
    shards: dict[str, str] = {}
    total = sum(len(paths) for paths in drafts.draft_paths.values())
    for split, paths in drafts.draft_paths.items():
        for number, draft in enumerate(paths):
            name = f"data/{split}-{number:05d}-of-{len(paths):05d}.parquet"
            table = _add_vectors(pq.read_table(draft), drafts.distinct, vectors)
            pq.write_table(table.cast(schema), drafts.folder / name, row_group_size=ROW_GROUP)
            draft.unlink()
            shards[name] = file_digest(drafts.folder / name)
            progress("shards", len(shards), total)
    return shards


def _add_vectors(
    table: pa.Table, distinct: dict[str, int], vectors: NDArray[np.float16]
) -> pa.Table:
    captions = table["captions"].combine_chunks()
    rows = [distinct[caption] for caption in captions.values.to_pylist()]
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors[rows].ravel()), vectors.shape[1])
    return table.append_column("caption_vectors", pa.ListArray.from_arrays(captions.offsets, flat))
