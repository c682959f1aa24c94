"""The prepared shards on disk: their schema, and reading a whole split into memory."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from training.common.errors import PreparedDataError
from training.data.image_io import decode_png
from training.data.manifest import Manifest, file_digest
from training.data.sampling import epoch_rows

# Largest fraction of free memory that a split may use.
MAX_MEMORY_FRACTION = 0.8


@dataclass(frozen=True)
class PreparedSplit:
    """One split in memory; S is the picture size, D the size of a caption vector.

    Attributes:
        images: uint8 (N, 3, S, S).
        caption_vectors: float16 (total, D), L2-normalised up to rounding.
        caption_offsets: int64 (N + 1); the captions of picture i are rows
            `offsets[i]:offsets[i + 1]`, at least one.
        captions: `total` strings, in the order of the vectors.
        labels: N class labels; empty if the source has none.
    """

    images: Tensor
    caption_vectors: Tensor
    caption_offsets: Tensor
    captions: list[str]
    labels: list[str]
    file_names: list[str]
    manifest: Manifest

    @property
    def digest(self) -> str:
        """Digest of the prepared folder, `sha256:…`."""
        return self.manifest.digest

    def __len__(self) -> int:
        return len(self.file_names)

    def gather(self, rows: Tensor) -> "PreparedSplit":
        """Return the pictures of `rows`, int64 `(n,)`, in their order."""
        first = self.caption_offsets[rows]
        counts = self.caption_offsets[rows + 1] - first
        offsets = torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)])
        captions = torch.arange(int(offsets[-1])) + (first - offsets[:-1]).repeat_interleave(counts)
        return replace(
            self,
            images=self.images[rows],
            caption_vectors=self.caption_vectors[captions],
            caption_offsets=offsets,
            captions=[self.captions[i] for i in captions.tolist()],
            labels=[self.labels[i] for i in rows.tolist()],
            file_names=[self.file_names[i] for i in rows.tolist()],
        )

    def batch_rows(self, index: int, lanes: Tensor, seed: int) -> Tensor:
        """Return the rows of a batch, int64 `(share,)`; lanes do not matter in memory."""
        return epoch_rows(len(self), len(lanes), index, seed)

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw up to `count` distinct rows."""
        return torch.randperm(len(self), generator=rng)[:count]


def shard_schema(caption_dim: int) -> pa.Schema:
    """Arrow schema of a shard, with the metadata by which `datasets` knows the pictures."""
    # Slow to import, and not needed for reading.
    from datasets import Features, Image, List, Value  # noqa: PLC0415

    text = Value("string")
    features = {
        "image": Image(),
        "file_name": text,
        "label": text,
        "captions": List(text),
        "caption_vectors": List(List(Value("float16"), length=caption_dim)),
    }
    return Features(features).arrow_schema


def load_split(
    folder: Path, split: str, *, encoder_fingerprint: str | None = None
) -> PreparedSplit:
    """Read one split of a prepared folder, checking the digest of every shard.

    Raises:
        PreparedDataError: no such folder or split, changed or missing shards, captions of another
            encoder than the given one, or more than fits into memory.
    """
    manifest = open_manifest(folder, split, encoder_fingerprint)
    check_memory(folder, split, manifest)
    shards = [verify_shard(folder, name, manifest) for name in manifest.shards_of(split)]
    return decode_table(pa.concat_tables([pq.read_table(shard) for shard in shards]), manifest)


def open_manifest(folder: Path, split: str, encoder_fingerprint: str | None = None) -> Manifest:
    """Read a folder's manifest.

    Raises:
        PreparedDataError: no such folder or split, or captions of another encoder.
    """
    manifest = Manifest.load(folder)
    if split not in manifest.splits:
        known = ", ".join(manifest.splits)
        raise PreparedDataError(f"{folder}: no split '{split}'; it has {known}")
    if encoder_fingerprint not in (None, manifest.encoder_fingerprint):
        raise PreparedDataError(
            f"{folder}: captions were embedded by another encoder"
            f" ({manifest.encoder}, {manifest.encoder_fingerprint}, not {encoder_fingerprint})"
        )
    return manifest


def check_memory(folder: Path, split: str, manifest: Manifest) -> None:
    """Raise `PreparedDataError` for a split that does not fit into memory."""
    counts = manifest.splits[split]
    needed = counts["images"] * 3 * manifest.size**2 + counts["captions"] * 2 * manifest.caption_dim
    free = psutil.virtual_memory().available
    if needed > MAX_MEMORY_FRACTION * free:
        raise PreparedDataError(
            f"{folder}: {split} takes {needed / 2**30:,.1f} GiB of memory and {free / 2**30:,.1f} "
            "are free: stream it (--set loading.stream=true)"
        )


def verify_shard(folder: Path, name: str, manifest: Manifest) -> Path:
    """Return the path of a shard after checking its digest."""
    path = folder / name
    if not path.is_file():
        raise PreparedDataError(f"{path}: missing")
    if file_digest(path) != manifest.shards[name]:
        raise PreparedDataError(f"{path}: not the shard that the manifest names (digest differs)")
    return path


def decode_table(table: pa.Table, manifest: Manifest) -> PreparedSplit:
    """Decode the rows of a table of shards."""
    captions = table["captions"].combine_chunks()
    return PreparedSplit(
        images=_decode_all(table["image"], manifest.size),
        caption_vectors=_vectors(table["caption_vectors"], manifest.caption_dim),
        caption_offsets=torch.from_numpy(_offsets(captions)),
        captions=captions.flatten().to_pylist(),
        labels=table["label"].to_pylist(),
        file_names=table["file_name"].to_pylist(),
        manifest=manifest,
    )


def _decode_all(column: pa.ChunkedArray, size: int) -> Tensor:
    images = np.empty((len(column), 3, size, size), np.uint8)
    row = 0
    for chunk in column.chunks:
        for data in chunk.field("bytes"):
            images[row] = decode_png(data.as_py()).transpose(2, 0, 1)
            row += 1
    return torch.from_numpy(images)


def _vectors(column: pa.ChunkedArray, dim: int) -> Tensor:
    chunks = [chunk.flatten().flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return torch.from_numpy(np.concatenate(chunks).reshape(-1, dim))


def _offsets(lists: pa.ListArray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy(), dtype=np.int64)])
