"""Prepared shards -> batches, each a pure function of the step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from models.geometry import SIZE, random_corners, to_float
from training.common.errors import PreparedDataError
from training.config.config import AugmentConfig
from training.config.image_spec import INPAINT_SPEC, ImageSpec
from training.data.augment import centre_crop, coins, crop, mirror, turn, turns
from training.data.manifest import TRAIN, Manifest
from training.data.memory_dataset import PictureSet, PreparedSplit, load_split, open_manifest
from training.data.sampling import lane_order, mix, shares
from training.data.streaming_dataset import open_split

# All rows of a batch.
WHOLE = slice(None)


class Batch(NamedTuple):
    """Pictures with their holes and captions; H×W is the recipe's picture size.

    Attributes:
        images: float `(N, 3, H, W)`, -1 to 1, whole.
        mask: float `(N, 1, H, W)`, 1 inside the hole.
        caption: float `(N, caption_dim)`; zeros where the caption was dropped.
    """

    images: Tensor
    mask: Tensor
    caption: Tensor

    def to(self, device: torch.device, memory_format: torch.memory_format) -> "Batch":
        """Move to a device, pictures in the given layout."""
        images, mask, caption = (t.to(device) for t in self)
        return Batch(images.contiguous(memory_format=memory_format), mask, caption)


def load_sets(
    folders: Sequence[Path],
    split: str,
    size: int = SIZE,
    keep: int = 0,
    *,
    encoder_fingerprint: str | None = None,
) -> list[PictureSet]:
    """Load one split of every prepared folder, with pictures of side `size` at least.

    Args:
        folders: that `prepare` wrote.
        split: such as `train`.
        size: least side of the pictures.
        keep: where not 0, leave the pictures on disk but for so many blocks of each.
        encoder_fingerprint: where given, the captions must have been embedded by that encoder.

    Raises:
        PreparedDataError: one is missing or has too small pictures, two are the same, or they were
            prepared with different encoders or with another than the given one.
    """
    manifests = [open_manifest(folder, split, encoder_fingerprint) for folder in folders]
    check_distinct(folders, manifests)
    for manifest in manifests:
        if manifest.size < size:
            raise PreparedDataError(f"pictures of {manifest.size} px; {size} are needed")
    if len({manifest.encoder_fingerprint for manifest in manifests}) > 1:
        raise PreparedDataError("the data folders were prepared with different sentence encoders")
    return [load_set(folder, split, keep) for folder in folders]


def check_distinct(folders: Sequence[Path], manifests: Sequence[Manifest]) -> None:
    """Refuse the same prepared data twice, in one folder or in copies.

    Raises:
        PreparedDataError: names both folders.
    """
    seen: dict[str, Path] = {}
    for folder, manifest in zip(folders, manifests, strict=True):
        if manifest.digest in seen:
            first, digest = seen[manifest.digest], manifest.digest
            raise PreparedDataError(f"the same data given twice: {first} and {folder} ({digest})")
        seen[manifest.digest] = folder


def load_set(folder: Path, split: str, keep: int = 0) -> PictureSet:
    """Load one split into memory, or open it where only `keep` blocks of it are to be there."""
    return open_split(folder, split, keep) if keep else load_split(folder, split)


def load_held_out(
    folders: Sequence[Path], trained: Sequence[PictureSet], keep: int = 0
) -> list[PictureSet]:
    """Load the split of every prepared folder that models are chosen on.

    Args:
        folders: that `prepare` wrote.
        trained: their splits that are trained on, for where nothing is held out.
        keep: as `load_sets` takes it.
    """
    splits = [one.manifest.held_out for one in trained]
    return [
        load_set(folder, split, keep) if split != TRAIN else one
        for folder, split, one in zip(folders, splits, trained, strict=True)
    ]


class Draws(NamedTuple):
    """What is drawn for the pictures that a set gives to a batch.

    Attributes:
        rows: int64 `(N,)`, which pictures.
        caption: `(N,)`, 0 to 1: which of each one's captions.
        corner: int64 `(N, 2)`, of its crop.
        mirror: bool `(N,)`.
    """

    rows: Tensor
    caption: Tensor
    corner: Tensor
    mirror: Tensor


@dataclass(frozen=True)
class BatchSource:
    """Batches over one or several sets of pictures.

    Every batch depends on seed and index alone: an interrupted run takes up where it was without
    replaying anything, and any process can make the rows it needs of any batch. A set is gone
    through in a fresh order each epoch, and one of a picture's captions is drawn afresh each time.

    Attributes:
        sets: prepared splits, all with the same encoder.
        batch_size: pictures a batch.
        balance: sets share a batch in proportion to `count ** balance`.
        augment: what is done to the pictures.
        seed: of every draw.
        picture: what is seen of a prepared picture.
        lanes: of streamed sets, see `training.data.sampling.lane_rows`.
    """

    sets: Sequence[PictureSet]
    batch_size: int
    balance: float
    augment: AugmentConfig
    seed: int
    picture: ImageSpec = INPAINT_SPEC
    lanes: int = 1

    def batch(self, index: int, part: slice = WHOLE) -> Batch:
        """Return the batch with this index, 0 and up, or a part of its rows.

        Numbers are drawn for the whole batch, in the same order whoever asks; pictures are read
        for the part alone.
        """
        rng = torch.Generator().manual_seed(mix(self.seed, index))
        draws = self._draws(index, rng)
        count, augment = self.batch_size, self.augment
        angles = turns(count, augment.rotate, augment.degrees, rng) if augment.rotate else None
        dropped = torch.rand(count, generator=rng) < augment.drop_caption
        # Mixed, so that a caption's neighbour, which is its mismatch, comes from any set.
        rows = lane_order(count, math.gcd(count, self.lanes), rng)[part]
        images, caption = self._see(draws, rows)
        mask = self.picture.mask(len(images))
        if angles is not None:
            images, mask = turn(images, angles[rows])
        return Batch(images, mask, caption.masked_fill(dropped[rows, None], 0.0))

    def _draws(self, index: int, rng: torch.Generator) -> list[Draws]:
        """Draw for each set's share of a whole batch."""
        lanes = torch.arange(self.batch_size) % math.gcd(self.batch_size, self.lanes)
        split = lanes.split(shares([len(s) for s in self.sets], self.batch_size, self.balance))
        return [self._draw(number, mine, index, rng) for number, mine in enumerate(split)]

    def _draw(self, number: int, lanes: Tensor, index: int, rng: torch.Generator) -> Draws:
        """Draw one set's share."""
        pictures, count = self.sets[number], len(lanes)
        return Draws(
            pictures.turn(index, lanes, mix(self.seed, number)),
            torch.rand(count, generator=rng),
            random_corners(count, pictures.manifest.size - self.picture.window, rng),
            coins(count, rng) if self.augment.flip else torch.zeros(count, dtype=torch.bool),
        )

    def _see(self, draws: list[Draws], rows: Tensor) -> tuple[Tensor, Tensor]:
        """Read rows of the batch: pictures `(N, 3, H, W)`, and a caption vector for each."""
        parts, places, start = [], [], 0
        for pictures, drawn in zip(self.sets, draws, strict=True):
            here = ((rows >= start) & (rows < start + len(drawn.rows))).nonzero().flatten()
            if len(here):
                mine = Draws(*(field[rows[here] - start] for field in drawn))
                parts.append(self._read(pictures, mine))
                places.append(here)
            start += len(drawn.rows)
        back = torch.cat(places).argsort()
        images = to_float(torch.cat([pixels for pixels, _ in parts]))
        return images[back], torch.cat([vectors for _, vectors in parts])[back]

    def _read(self, pictures: PictureSet, drawn: Draws) -> tuple[Tensor, Tensor]:
        """Return pictures, uint8 `(N, 3, H, W)`, and a caption vector for each."""
        some = pictures.take(drawn.rows)
        chosen = caption_rows(some.caption_offsets, drawn.caption)
        pixels = crop(some.images, drawn.corner, self.picture.window)
        pixels = mirror(pixels, [some.captions[c] for c in chosen.tolist()], drawn.mirror)
        return self.picture.see(pixels), some.caption_vectors[chosen].float()


def plain_batch(pictures: PictureSet, rows: Tensor, picture: ImageSpec = INPAINT_SPEC) -> Batch:
    """Return pictures as they are, upright, centre-cropped, each with its first caption."""
    some = pictures.take(rows)
    images = to_float(picture.see(centre_crop(some.images, picture.window)))
    return Batch(images, picture.mask(len(rows)), first_vectors(some))


def first_vectors(some: PreparedSplit) -> Tensor:
    """Return the vector of each picture's first caption, float32."""
    return some.caption_vectors[some.caption_offsets[:-1]].float()


def join_batches(parts: Sequence[Batch]) -> Batch:
    """Put batches together, one after the other."""
    return Batch(*(torch.cat(fields) for fields in zip(*parts, strict=True)))


def fixed_batch(sets: Sequence[PictureSet], picture: ImageSpec, seed: int, count: int) -> Batch:
    """Draw `count` different pictures, or as many as there are, evenly from every set."""
    rng = torch.Generator().manual_seed(seed)
    each = shares([len(one) for one in sets], count, 0.0)
    chosen = [one.some(share, rng) for one, share in zip(sets, each, strict=True)]
    return join_batches(
        [plain_batch(one, rows, picture) for one, rows in zip(sets, chosen, strict=True)]
    )


def first_captions(pictures: PictureSet, rows: Tensor) -> list[str]:
    """Return the text that goes with each vector of `plain_batch`."""
    some = pictures.take(rows)
    return [some.captions[i] for i in some.caption_offsets[:-1].tolist()]


def captions_of(pictures: PreparedSplit, row: int) -> list[str]:
    """Return all captions of a picture."""
    first, last = pictures.caption_offsets[row : row + 2].tolist()
    return pictures.captions[first:last]


def caption_rows(offsets: Tensor, draw: Tensor) -> Tensor:
    """Choose one of each picture's captions; returns rows of the caption table, `(N,)`.

    Args:
        offsets: of the pictures' captions, `(N + 1,)`.
        draw: `(N,)`, 0 to 1.
    """
    first, count = offsets[:-1], offsets.diff()
    return first + (draw * count).long().clamp(max=count - 1)
