"""Raw data set -> sharded Parquet with small square pictures and embedded captions.

Three stages, none of which holds all pictures in memory: the source is streamed into draft
shards; every distinct caption that is still needed is embedded once; the drafts get the vectors
and their final names. All of it happens in a temporary folder beside OUT, renamed at the end.
"""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.captions import DEFAULT_ENCODER, CaptionEncoder
from training.decoding import square_png
from training.errors import PictureError, PreparedDataError, SourceError
from training.manifest import Manifest, file_digest, overall_digest, tool_version
from training.shards import shard_schema
from training.sources import Example, PassedOver, Reading, find_source

logger = logging.getLogger(__name__)

ROW_GROUP = 1000
EMBED_CHUNK = 1024
EMBED_BATCH = 128

Progress = Callable[[str, int, int | None], None]
"""Called with the stage (`pictures`, `captions`, `shards`), how many are done, of how many."""


def prepare(
    source_name: str,
    source: Path,
    out: Path,
    *,
    size: int = 64,
    shard_images: int = 5000,
    encoder: str = DEFAULT_ENCODER,
    limit: int | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Manifest:
    """Prepare a raw data set for training.

    Args:
        source_name: which layout to read, see `training.sources.SOURCES`.
        source: the folder or archive, as published.
        out: folder to make; must not exist or be empty.
        size: side of the square pictures in pixels.
        shard_images: most pictures in a shard.
        encoder: name of the sentence encoder.
        limit: most pictures in a split, the first ones met; all where None.
        progress: told how far each stage is.

    Returns:
        The manifest, also written to `out`.

    Raises:
        SourceError: the source is missing, damaged, or has no usable picture.
        PreparedDataError: `out` is in the way or lies inside the source.
        EncoderError: no such encoder.
    """
    reader = find_source(source_name)
    _check_out(source, out)
    with _whole_or_nothing(out) as folder:
        drafts = _Drafts(folder, shard_images)
        _stream_pictures(reader(source), drafts, size, limit, progress)
        if not drafts.counts:
            raise SourceError(
                f"{source}: no usable picture ({len(drafts.passed_over)} passed over)"
            )
        model = CaptionEncoder.load(encoder)
        table = _embed(model, drafts.distinct, progress)
        shards = _finish_shards(drafts, table, progress)
        manifest = Manifest(
            version=tool_version(),
            source=source_name,
            size=size,
            encoder=model.name,
            encoder_fingerprint=model.fingerprint,
            caption_dim=model.dimension,
            distinct_captions=len(drafts.distinct),
            splits=drafts.counts,
            passed_over=[vars(item) for item in drafts.passed_over],
            shards=shards,
            digest=overall_digest(shards),
        )
        manifest.save(folder)
    return manifest


@dataclass
class _Drafts:
    """Shards without vectors, filled picture by picture, and what was counted on the way."""

    folder: Path
    shard_images: int
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    passed_over: list[PassedOver] = field(default_factory=list)
    distinct: dict[str, int] = field(default_factory=dict)
    written: dict[str, list[Path]] = field(default_factory=dict)
    waiting: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def add(self, example: Example, png: bytes, captions: Sequence[str]) -> None:
        counts = self.counts.setdefault(example.split, {"images": 0, "captions": 0})
        counts["images"] += 1
        counts["captions"] += len(captions)
        for caption in captions:
            self.distinct.setdefault(caption, len(self.distinct))
        rows = self.waiting.setdefault(example.split, [])
        rows.append(
            {
                "image": {"bytes": png, "path": example.file_name},
                "file_name": example.file_name,
                "label": example.label,
                "captions": list(captions),
            }
        )
        if len(rows) == self.shard_images:
            self.flush(example.split)

    def pass_over(self, item: PassedOver) -> None:
        logger.warning("passed over %s: %s", item.file_name, item.reason)
        self.passed_over.append(item)

    def flush(self, split: str) -> None:
        rows = self.waiting.pop(split, [])
        if rows:
            paths = self.written.setdefault(split, [])
            paths.append(self.folder / f"{split}-{len(paths):05d}.draft")
            pq.write_table(pa.Table.from_pylist(rows), paths[-1], compression="none")


def _stream_pictures(
    reading: Reading, drafts: _Drafts, size: int, limit: int | None, progress: Progress
) -> None:
    for done, item in enumerate(reading, start=1):
        progress("pictures", done, None)
        if isinstance(item, PassedOver):
            drafts.pass_over(item)
        elif limit is None or drafts.counts.get(item.split, {}).get("images", 0) < limit:
            _add_or_pass_over(item, drafts, size)
    for split in list(drafts.waiting):
        drafts.flush(split)
    if drafts.passed_over:
        logger.warning("passed over %d files in all", len(drafts.passed_over))


def _add_or_pass_over(example: Example, drafts: _Drafts, size: int) -> None:
    captions = [caption for caption in example.captions if caption]
    if not captions:
        drafts.pass_over(PassedOver(example.file_name, "no caption"))
        return
    try:
        drafts.add(example, square_png(example.read(), size), captions)
    except PictureError as error:
        drafts.pass_over(PassedOver(example.file_name, str(error)))


def _embed(
    model: CaptionEncoder, distinct: dict[str, int], progress: Progress
) -> NDArray[np.float16]:
    """Vectors float16 (len(distinct), D), row `distinct[caption]` for each caption."""
    captions = sorted(distinct, key=len)  # a batch is padded to its longest
    vectors = np.empty((len(captions), model.dimension), np.float16)
    for start in range(0, len(captions), EMBED_CHUNK):
        chunk = captions[start : start + EMBED_CHUNK]
        rows = [distinct[caption] for caption in chunk]
        vectors[rows] = model.encode(chunk, batch_size=EMBED_BATCH).cpu().numpy()
        progress("captions", start + len(chunk), len(captions))
    return vectors


def _finish_shards(
    drafts: _Drafts, vectors: NDArray[np.float16], progress: Progress
) -> dict[str, str]:
    """Draft shards -> final shards under `data/`; their digests by path."""
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


def _check_out(source: Path, out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PreparedDataError(f"{out}: already there and not an empty folder")
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise PreparedDataError(f"{out}: lies inside the source {source}")


@contextmanager
def _whole_or_nothing(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out`, which becomes `out` only if all went well."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        folder.chmod(0o755)
        yield folder
        folder.replace(out)
    except BaseException:
        shutil.rmtree(folder)
        raise
