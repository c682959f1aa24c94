"""Batches of prepared data: each is a pure function of seed and step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from models.geometry import SIZE, random_corners, to_float
from training.common.errors import PreparedDataError
from training.config.config import AugmentConfig
from training.config.image_spec import INPAINT_SPEC, ImageSpec
from training.data.augment import (
    apply_view,
    centre_crop,
    crop,
    mirror,
    random_angles,
    random_flips,
    rotate,
)
from training.data.manifest import TRAIN, Manifest
from training.data.memory_dataset import PreparedSplit, load_split, open_manifest
from training.data.sampling import lane_order, mix_seed, split_batch
from training.data.streaming_dataset import StreamedSplit, open_split

ALL_ROWS = slice(None)
# One split of a prepared folder.
ImageDataset = PreparedSplit | StreamedSplit


class Batch(NamedTuple):
    """Images with holes and captions; H×W is the picture size of the config."""

    images: Tensor  # float `(N, 3, H, W)`, -1 to 1, including the hole
    mask: Tensor  # float `(N, 1, H, W)`, 1 inside the hole
    caption: Tensor  # float `(N, caption_dim)`; zeros if the caption was dropped

    def to(self, device: torch.device, memory_format: torch.memory_format) -> "Batch":
        """Move to a device; images get the memory format."""
        images, mask, caption = (t.to(device) for t in self)
        return Batch(images.contiguous(memory_format=memory_format), mask, caption)


def load_sets(
    folders: Sequence[Path],
    split: str,
    size: int = SIZE,
    keep: int = 0,
    *,
    encoder_fingerprint: str | None = None,
) -> list[ImageDataset]:
    """Load one split of every prepared folder.

    Args:
        folders: what `prepare` wrote.
        split: such as `train`.
        size: minimum side of the pictures [px].
        keep: 0 loads into memory; otherwise stream with a cache of so many blocks a set.
        encoder_fingerprint: if given, captions must be embedded by this encoder.

    Raises:
        PreparedDataError: a folder is missing, given twice, or has too small pictures, or encoders
            differ.
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
    """Raise `PreparedDataError` for the same prepared data given twice, also as a copy."""
    seen: dict[str, Path] = {}
    for folder, manifest in zip(folders, manifests, strict=True):
        if manifest.digest in seen:
            both = f"{seen[manifest.digest]} and {folder}"
            raise PreparedDataError(f"the same data given twice: {both} ({manifest.digest})")
        seen[manifest.digest] = folder


def load_set(folder: Path, split: str, keep: int = 0) -> ImageDataset:
    """Load one split into memory, or open it with a cache of `keep` blocks if not 0."""
    return open_split(folder, split, keep) if keep else load_split(folder, split)


def load_validation_sets(
    folders: Sequence[Path], trained: Sequence[ImageDataset], keep: int = 0
) -> list[ImageDataset]:
    """Load the validation split of every prepared folder, or use its training split."""
    splits = [one.manifest.validation_split for one in trained]
    return [
        load_set(folder, split, keep) if split != TRAIN else one
        for folder, split, one in zip(folders, splits, trained, strict=True)
    ]


class RandomDraws(NamedTuple):
    """Random parameters of the pictures that a set contributes to a batch."""

    rows: Tensor  # int64 `(N,)`, the pictures
    caption: Tensor  # `(N,)`, 0 to 1, chooses the caption
    corner: Tensor  # int64 `(N, 2)`, of the crop
    mirror: Tensor  # bool `(N,)`


@dataclass(frozen=True)
class BatchSource:
    """Batches from one or several datasets.

    A batch depends on seed and index only: an interrupted run resumes without replaying, and any
    process can make any rows of any batch. A set is shuffled in each epoch; the caption of a
    picture is drawn each time.

    Attributes:
        balance: the batch is divided among sets in proportion to `count ** balance`.
        picture: crop, size and hole of the images.
        lanes: of streamed sets, see `training.data.sampling.lane_rows`.
    """

    sets: Sequence[ImageDataset]
    batch_size: int
    balance: float
    augment: AugmentConfig
    seed: int
    picture: ImageSpec = INPAINT_SPEC
    lanes: int = 1

    @cached_property
    def _window(self) -> int:
        return self.picture.window

    @cached_property
    def _mask(self) -> Tensor:
        return self.picture.mask(1)

    def batch(self, index: int, part: slice = ALL_ROWS) -> Batch:
        """Return a batch by index (from 0), or a part of its rows.

        Random numbers are drawn for the whole batch; only the pictures of the part are read.
        """
        rng = torch.Generator().manual_seed(mix_seed(self.seed, index))
        draws = self._draws(index, rng)
        count, augment = self.batch_size, self.augment
        angles = (
            random_angles(count, augment.rotate, augment.degrees, rng) if augment.rotate else None
        )
        dropped = torch.rand(count, generator=rng) < augment.drop_caption
        # Shuffled, so that the next row, whose caption is the mismatch, may be of any set.
        rows = lane_order(count, math.gcd(count, self.lanes), rng)[part]
        images, caption = self._read_rows(draws, rows)
        mask = self._mask.repeat(len(images), 1, 1, 1)
        if angles is not None:
            images, mask = rotate(images, angles[rows])
        return Batch(images, mask, caption.masked_fill(dropped[rows, None], 0.0))

    def _draws(self, index: int, rng: torch.Generator) -> list[RandomDraws]:
        """Draw random parameters for each set's share of a batch."""
        lanes = torch.arange(self.batch_size) % math.gcd(self.batch_size, self.lanes)
        split = lanes.split(split_batch([len(s) for s in self.sets], self.batch_size, self.balance))
        draws = []
        for number, (pictures, mine) in enumerate(zip(self.sets, split, strict=True)):
            rows = pictures.batch_rows(index, mine, mix_seed(self.seed, number))
            caption = torch.rand(len(mine), generator=rng)
            room = pictures.manifest.size - self._window
            corner = random_corners(len(mine), room, rng)
            flips = torch.zeros_like(mine, dtype=torch.bool)
            if self.augment.flip:
                flips = random_flips(len(mine), rng)
            draws.append(RandomDraws(rows, caption, corner, flips))
        return draws

    def _read_rows(self, draws: list[RandomDraws], rows: Tensor) -> tuple[Tensor, Tensor]:
        """Read rows of a batch: images `(N, 3, H, W)` and caption vectors."""
        parts, places, start = [], [], 0
        for pictures, drawn in zip(self.sets, draws, strict=True):
            here = ((rows >= start) & (rows < start + len(drawn.rows))).nonzero().flatten()
            if len(here):
                mine = RandomDraws(*(field[rows[here] - start] for field in drawn))
                parts.append(self._read_set(pictures, mine))
                places.append(here)
            start += len(drawn.rows)
        back = torch.cat(places).argsort()
        images = to_float(torch.cat([pixels for pixels, _ in parts]))
        return images[back], torch.cat([vectors for _, vectors in parts])[back]

    def _read_set(self, pictures: ImageDataset, drawn: RandomDraws) -> tuple[Tensor, Tensor]:
        """Return images, uint8 `(N, 3, H, W)`, and caption vectors."""
        selected = pictures.gather(drawn.rows)
        chosen = choose_captions(selected.caption_offsets, drawn.caption)
        pixels = crop(selected.images, drawn.corner, self._window)
        pixels = mirror(pixels, [selected.captions[c] for c in chosen.tolist()], drawn.mirror)
        return apply_view(pixels, self.picture.view), selected.caption_vectors[chosen].float()


def plain_batch(pictures: ImageDataset, rows: Tensor, picture: ImageSpec = INPAINT_SPEC) -> Batch:
    """Return images without augmentation, centre-cropped, with their first captions."""
    selected = pictures.gather(rows)
    windows = centre_crop(selected.images, picture.window)
    images = to_float(apply_view(windows, picture.view))
    return Batch(images, picture.mask(len(rows)), first_caption_vectors(selected))


def first_caption_vectors(pictures: PreparedSplit) -> Tensor:
    """Return the vectors of the first captions, float32 `(N, D)`."""
    return pictures.caption_vectors[pictures.caption_offsets[:-1]].float()


def join_batches(parts: Sequence[Batch]) -> Batch:
    """Concatenate batches."""
    return Batch(*(torch.cat(fields) for fields in zip(*parts, strict=True)))


def fixed_batch(sets: Sequence[ImageDataset], picture: ImageSpec, seed: int, count: int) -> Batch:
    """Draw up to `count` distinct pictures, evenly from all sets."""
    rng = torch.Generator().manual_seed(seed)
    each = split_batch([len(one) for one in sets], count, 0.0)
    chosen = [one.sample(share, rng) for one, share in zip(sets, each, strict=True)]
    return join_batches(
        [plain_batch(one, rows, picture) for one, rows in zip(sets, chosen, strict=True)]
    )


def first_captions(pictures: ImageDataset, rows: Tensor) -> list[str]:
    """Return the first captions, whose vectors `plain_batch` has."""
    selected = pictures.gather(rows)
    return [selected.captions[i] for i in selected.caption_offsets[:-1].tolist()]


def captions_of(pictures: PreparedSplit, row: int) -> list[str]:
    """Return all captions of one picture."""
    first, last = pictures.caption_offsets[row : row + 2].tolist()
    return pictures.captions[first:last]


def choose_captions(offsets: Tensor, draw: Tensor) -> Tensor:
    """Choose a caption of each picture by `draw`, `(N,)`, 0 to 1; return its row, `(N,)`."""
    first, count = offsets[:-1], offsets.diff()
    return first + (draw * count).long().clamp(max=count - 1)
