"""Convert a raw data set to Parquet shards of small square pictures and embedded captions.

Three stages, none of which holds all pictures in memory: write draft shards; embed every distinct
caption once; write the final shards with the vectors. The work is done in a staging folder
(`training.data.staging`).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.captions import DEFAULT_ENCODER, CaptionEncoder
from training.common.console import StageProgress
from training.common.errors import PictureError, PreparedDataError, SourceError
from training.data.dataset_card import CARD, dataset_card
from training.data.image_io import square_png
from training.data.manifest import Manifest, overall_digest, tool_version
from training.data.shard_writer import ShardWriter, write_final_shards
from training.data.sources import Example, SkippedItem, SourceItems, find_source
from training.data.sources.base import clean_caption
from training.data.staging import staging_folder

MIN_SIZE = 32  # of the smallest networks; inpainting requires 64 when a run starts
EMBED_CHUNK = 1024


def prepare(
    source_name: str,
    source: Path,
    out: Path,
    *,
    size: int = 64,
    shard_images: int = 5000,
    encoder: str = DEFAULT_ENCODER,
    limit: int | None = None,
    progress: StageProgress = lambda stage, done, total: None,
) -> Manifest:
    """Prepare a raw data set for training; return the manifest.

    `out` gets shards, manifest and a card (`README.md`).

    Args:
        source_name: layout of the source, see `training.data.sources.SOURCES`.
        source: the folder or archive, as published.
        out: absent or empty. A symbolic link is followed.
        size: side of the square pictures in pixels.
        shard_images: maximum number of pictures in a shard.
        encoder: name of the sentence encoder, or its folder, which is recorded as an absolute path.
        limit: maximum number of pictures in a split; None for all.
        progress: called with the stage (`pictures`, `captions`, `shards`), the number done and the
            total.

    Raises:
        SourceError: the source is missing, damaged, or has no usable picture.
        PreparedDataError: `out` is not empty, is inside the source or cannot be written; `size` is
            too small for the networks; or `limit` is below 1.
        EncoderError: no such encoder.
    """
    reader = find_source(source_name)
    _check_arguments(source, out, size, limit)
    if Path(encoder).is_dir():
        encoder = str(Path(encoder).resolve())
    model = CaptionEncoder.load(encoder)  # first, so that a wrong name fails at once
    with staging_folder(out) as folder:
        drafts = ShardWriter(folder, shard_images)
        _write_draft_shards(reader(source), drafts, size, limit, progress)
        if not drafts.counts:
            raise SourceError(f"{source}: no usable picture ({len(drafts.skipped)} skipped)")
        table = _embed_captions(model, drafts.distinct, progress)
        shards = write_final_shards(drafts, table, progress)
        manifest = Manifest(
            version=tool_version(),
            source=source_name,
            size=size,
            encoder=model.name,
            encoder_fingerprint=model.fingerprint,
            caption_dim=model.dimension,
            distinct_captions=len(drafts.distinct),
            splits=drafts.counts,
            passed_over=[vars(item) for item in drafts.skipped],
            shards=shards,
            digest=overall_digest(shards),
        )
        manifest.save(folder)
        (folder / CARD).write_text(dataset_card(manifest), encoding="utf-8")
    return manifest


def _write_draft_shards(
    reading: SourceItems, drafts: ShardWriter, size: int, limit: int | None, progress: StageProgress
) -> None:
    for done, item in enumerate(reading, start=1):
        progress("pictures", done, None)
        if isinstance(item, SkippedItem):
            drafts.skip(item)
        elif limit is None or drafts.counts.get(item.split, {}).get("images", 0) < limit:
            _add_or_skip(item, drafts, size)
    for split in list(drafts.pending):
        drafts.flush(split)
    drafts.log_skipped()


def _add_or_skip(example: Example, drafts: ShardWriter, size: int) -> None:
    captions = [text for text in map(clean_caption, example.captions) if text]
    if not captions:
        drafts.skip(SkippedItem(example.file_name, "no caption"))
        return
    try:
        drafts.add(example, square_png(example.read(), size), captions)
    except PictureError as error:
        drafts.skip(SkippedItem(example.file_name, str(error)))


def _embed_captions(
    model: CaptionEncoder, distinct: dict[str, int], progress: StageProgress
) -> NDArray[np.float16]:
    """Return vectors, float16 (len(distinct), D); row `distinct[caption]` is that of a caption."""
    captions = sorted(distinct, key=len)  # a batch is padded to its longest caption
    vectors = np.empty((len(captions), model.dimension), np.float16)
    for start in range(0, len(captions), EMBED_CHUNK):
        chunk = captions[start : start + EMBED_CHUNK]
        rows = [distinct[caption] for caption in chunk]
        vectors[rows] = model.encode(chunk)
        progress("captions", start + len(chunk), len(captions))
    return vectors


def _check_arguments(source: Path, out: Path, size: int, limit: int | None) -> None:
    if size < MIN_SIZE:
        raise PreparedDataError(f"size {size}: the networks need at least {MIN_SIZE}")
    if limit is not None and limit < 1:
        raise PreparedDataError(f"limit {limit}: leaves no picture")
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PreparedDataError(f"{out}: already there and not an empty folder")
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise PreparedDataError(f"{out}: lies inside the source {source}")
