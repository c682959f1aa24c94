"""Raw data set -> sharded Parquet with small square pictures and embedded captions.

Three stages, none of which holds all pictures in memory: the source is streamed into draft
shards; every distinct caption that is still needed is embedded once; the drafts get the vectors
and their final names. All of it happens in a temporary folder (`training.data.staging`).
"""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.captions import DEFAULT_ENCODER, CaptionEncoder
from training.common.errors import PictureError, PreparedDataError, SourceError
from training.data.image_io import square_png
from training.data.manifest import Manifest, overall_digest, tool_version
from training.data.shard_writer import ShardWriter, finish_shards
from training.data.sources import Example, Reading, SkippedItems, find_source
from training.data.sources.base import clean_caption
from training.data.staging import new_folder

logger = logging.getLogger(__name__)

SMALLEST = 32  # what the smallest networks see; inpainting asks for 64 when a run starts
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
        source_name: which layout to read, see `training.data.sources.SOURCES`.
        source: the folder or archive, as published.
        out: folder to make; must not exist or be empty. A symbolic link is followed.
        size: side of the square pictures in pixels.
        shard_images: most pictures in a shard.
        encoder: name of the sentence encoder, or its folder, which is recorded as an absolute path.
        limit: most pictures in a split, the first ones met; all where None.
        progress: told how far each stage is.

    Returns:
        The manifest, also written to `out`.

    Raises:
        SourceError: the source is missing, damaged, or has no usable picture.
        PreparedDataError: `out` is in the way, lies inside the source or cannot be written, or
            `size` is too small for the networks, or `limit` below 1.
        EncoderError: no such encoder.
    """
    reader = find_source(source_name)
    _check_numbers(size, limit)
    _check_places(source, out)
    encoder = absolute(encoder)
    model = CaptionEncoder.load(encoder)  # first, so that a wrong name does not cost a pass
    with new_folder(out) as folder:
        drafts = ShardWriter(folder, shard_images)
        _stream_pictures(reader(source), drafts, size, limit, progress)
        if not drafts.counts:
            raise SourceError(
                f"{source}: no usable picture ({len(drafts.passed_over)} passed over)"
            )
        table = _embed(model, drafts.distinct, progress)
        shards = finish_shards(drafts, table, progress)
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


def _stream_pictures(
    reading: Reading, drafts: ShardWriter, size: int, limit: int | None, progress: Progress
) -> None:
    for done, item in enumerate(reading, start=1):
        progress("pictures", done, None)
        if isinstance(item, SkippedItems):
            drafts.pass_over(item)
        elif limit is None or drafts.counts.get(item.split, {}).get("images", 0) < limit:
            _add_or_pass_over(item, drafts, size)
    for split in list(drafts.waiting):
        drafts.flush(split)
    if drafts.passed_over:
        logger.warning("passed over %d files in all", len(drafts.passed_over))
        for line in drafts.reasons.summary():
            logger.warning("  %s", line)


def _add_or_pass_over(example: Example, drafts: ShardWriter, size: int) -> None:
    captions = [text for text in map(clean_caption, example.captions) if text]
    if not captions:
        drafts.pass_over(SkippedItems(example.file_name, "no caption"))
        return
    try:
        drafts.add(example, square_png(example.read(), size), captions)
    except PictureError as error:
        drafts.pass_over(SkippedItems(example.file_name, str(error)))


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


def absolute(encoder: str) -> str:
    """Return an encoder's name, or the absolute path of its folder: good from any other folder."""
    return str(Path(encoder).resolve()) if Path(encoder).is_dir() else encoder


def _check_numbers(size: int, limit: int | None) -> None:
    if size < SMALLEST:
        raise PreparedDataError(f"size {size}: the networks need at least {SMALLEST}")
    if limit is not None and limit < 1:
        raise PreparedDataError(f"limit {limit}: leaves no picture")


def _check_places(source: Path, out: Path) -> None:
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise PreparedDataError(f"{out}: already there and not an empty folder")
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise PreparedDataError(f"{out}: lies inside the source {source}")
