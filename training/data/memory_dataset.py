"""The prepared shards on disk: their schema, and reading a whole split into memory."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

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

# Of the memory that is free, the most a split may take.
MEMORY_SHARE = 0.8


class PictureSet(Protocol):
    """One split as batches are made of it: in memory, or streamed."""

    @property
    def manifest(self) -> Manifest:
        """Of the whole folder."""
        ...

    def __len__(self) -> int:
        """How many pictures there are."""
        ...

    def take(self, rows: Tensor) -> "PreparedSplit":
        """Return some pictures, in the order of `rows`, int64 `(n,)`."""
        ...

    def turn(self, index: int, lanes: Tensor, seed: int) -> Tensor:
        """Return the rows that are in turn in a batch.

        Args:
            index: of the batch.
            lanes: the lane of each column that this set fills, `(share,)`.
            seed: of the order.
        """
        ...

    def some(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw `count` different rows, or as many as there are."""
        ...


@dataclass(frozen=True)
class PreparedSplit:
    """One split in memory; S is the prepared size, D the width of a caption vector.

    Attributes:
        images: uint8 (N, 3, S, S).
        caption_vectors: float16 (total, D), L2-normalised up to rounding.
        caption_offsets: int64 (N + 1); the captions of picture i are rows
            `offsets[i]:offsets[i + 1]`, at least one.
        captions: `total` strings, in the order of the vectors.
        labels: N class labels, empty where the source has none.
        file_names: N names, as in the source.
        manifest: of the whole folder.
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

    def take(self, rows: Tensor) -> "PreparedSplit":
        """Return some pictures, in the order of `rows`, int64 `(n,)`."""
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

    def turn(self, index: int, lanes: Tensor, seed: int) -> Tensor:
        """Return the rows in turn, of all that there are: in memory any is as near as the next."""
        return epoch_rows(len(self), len(lanes), index, seed)

    def some(self, count: int, rng: torch.Generator) -> Tensor:
        """Draw `count` different rows, or as many as there are."""
        return torch.randperm(len(self), generator=rng)[:count]


def shard_schema(caption_dim: int) -> pa.Schema:
    """Arrow schema of a shard, with the metadata by which `datasets` knows the pictures."""
    # Heavy to import, and reading needs it not.
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

    Args:
        folder: what `prepare` wrote.
        split: such as `train`.
        encoder_fingerprint: where given, the captions must have been embedded by that encoder.

    Raises:
        PreparedDataError: no such folder or split, changed or missing shards, other encoder, or
            more than fits into memory.
    """
    manifest = open_manifest(folder, split, encoder_fingerprint)
    check_memory(folder, split, manifest)
    shards = [checked_shard(folder, name, manifest) for name in manifest.shards_of(split)]
    return to_memory(pa.concat_tables([pq.read_table(shard) for shard in shards]), manifest)


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
    """Refuse to read a split that memory does not hold.

    Raises:
        PreparedDataError: one line that says how to do without.
    """
    counts = manifest.splits[split]
    needed = counts["images"] * 3 * manifest.size**2 + counts["captions"] * 2 * manifest.caption_dim
    free = psutil.virtual_memory().available
    if needed > MEMORY_SHARE * free:
        raise PreparedDataError(
            f"{folder}: {split} takes {needed / 2**30:,.1f} GiB of memory and {free / 2**30:,.1f} "
            "are free: stream it (--set loading.stream=true)"
        )


def checked_shard(folder: Path, name: str, manifest: Manifest) -> Path:
    """Return a shard's path when it is the one that the manifest names; read a bit at a time."""
    path = folder / name
    if not path.is_file():
        raise PreparedDataError(f"{path}: missing")
    if file_digest(path) != manifest.shards[name]:
        raise PreparedDataError(f"{path}: not the shard that the manifest names (digest differs)")
    return path


def to_memory(table: pa.Table, manifest: Manifest) -> PreparedSplit:
    """Decode rows of shards."""
    captions = table["captions"].combine_chunks()
    return PreparedSplit(
        images=_decode_all(table["image"], manifest.size),
        caption_vectors=_vectors(table["caption_vectors"], manifest.caption_dim),
        caption_offsets=torch.from_numpy(_offsets(table["captions"])),
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


def _offsets(column: pa.ChunkedArray) -> np.ndarray:
    counts = np.concatenate([chunk.value_lengths().to_numpy() for chunk in column.chunks])
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
