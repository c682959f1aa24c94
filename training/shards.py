"""The prepared shards on disk: their schema, and reading a whole split into memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from training.decoding import decode_png
from training.errors import PreparedDataError
from training.manifest import Manifest, file_digest


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
        PreparedDataError: no such folder or split, changed or missing shards, other encoder.
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
    tables = [_read_shard(folder, name, manifest) for name in manifest.shards_of(split)]
    return _to_memory(pa.concat_tables(tables), manifest)


def _read_shard(folder: Path, name: str, manifest: Manifest) -> pa.Table:
    path = folder / name
    if not path.is_file():
        raise PreparedDataError(f"{path}: missing")
    if file_digest(path) != manifest.shards[name]:
        raise PreparedDataError(f"{path}: not the shard that the manifest names (digest differs)")
    return pq.read_table(path)


def _to_memory(table: pa.Table, manifest: Manifest) -> PreparedSplit:
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
