"""Prepared shards -> batches, each a pure function of the step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from models.geometry import SIZE, to_float
from training.augment import centre_crop, random_crop, random_flip, random_rotation
from training.errors import PreparedDataError
from training.manifest import TRAIN
from training.picture import INPAINTING, Picture
from training.recipe import Augment
from training.shards import PreparedSplit, load_split


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


def load_sets(folders: Sequence[Path], split: str, size: int = SIZE) -> list[PreparedSplit]:
    """Load one split of every prepared folder, with pictures of side `size` at least.

    Raises:
        PreparedDataError: one is missing or has too small pictures, or they were prepared with
            different encoders.
    """
    sets = [load_split(folder, split) for folder in folders]
    for one in sets:
        if one.images.shape[-1] < size:
            raise PreparedDataError(f"pictures of {one.images.shape[-1]} px; {size} are needed")
    if len({s.manifest.encoder_fingerprint for s in sets}) > 1:
        raise PreparedDataError("the data folders were prepared with different sentence encoders")
    return sets


def load_held_out(folders: Sequence[Path], trained: Sequence[PreparedSplit]) -> list[PreparedSplit]:
    """Load the split of every prepared folder that models are chosen on.

    Args:
        folders: that `prepare` wrote.
        trained: their splits that are trained on, for where nothing is held out.
    """
    splits = [one.manifest.held_out for one in trained]
    return [
        load_split(folder, split) if split != TRAIN else one
        for folder, split, one in zip(folders, splits, trained, strict=True)
    ]


@dataclass(frozen=True)
class BatchSource:
    """Batches over one or several sets of pictures.

    Every batch depends on seed and index alone: an interrupted run takes up where it was without
    replaying anything. A set is gone through in a fresh order each epoch, and one of a picture's
    captions is drawn afresh each time.

    Attributes:
        sets: prepared splits, all with the same encoder.
        batch_size: pictures a batch.
        balance: sets share a batch in proportion to `count ** balance`.
        augment: what is done to the pictures.
        seed: of every draw.
        picture: what is seen of a prepared picture.
    """

    sets: list[PreparedSplit]
    batch_size: int
    balance: float
    augment: Augment
    seed: int
    picture: Picture = INPAINTING

    def batch(self, index: int) -> Batch:
        """Return the batch with this index, 0 and up."""
        rng = torch.Generator().manual_seed(mix(self.seed, index))
        parts = [
            self._draw(number, share, index, rng)
            for number, share in enumerate(shares(self.sets, self.batch_size, self.balance))
            if share
        ]
        images = to_float(torch.cat([p[0] for p in parts]))
        caption = torch.cat([p[1] for p in parts])
        mask = self.picture.mask(len(images))
        if self.augment.rotate:
            images, mask = random_rotation(images, self.augment.rotate, self.augment.degrees, rng)
        dropped = torch.rand(len(caption), generator=rng) < self.augment.drop_caption
        # Mixed, so that a caption's neighbour, which is its mismatch, comes from any set.
        order = torch.randperm(len(images), generator=rng)
        return Batch(images[order], mask[order], caption.masked_fill(dropped[:, None], 0.0)[order])

    def _draw(
        self, number: int, share: int, index: int, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw `share` pictures, uint8 `(share, 3, H, W)`, and a caption vector for each."""
        pictures = self.sets[number]
        rows = epoch_rows(len(pictures.images), share, index, mix(self.seed, number))
        chosen = caption_rows(pictures.caption_offsets, rows, rng)
        pixels = random_crop(pictures.images[rows], rng, self.picture.window)
        if self.augment.flip:
            pixels = random_flip(pixels, [pictures.captions[c] for c in chosen.tolist()], rng)
        return self.picture.see(pixels), pictures.caption_vectors[chosen].float()


def plain_batch(pictures: PreparedSplit, rows: Tensor, picture: Picture = INPAINTING) -> Batch:
    """Return pictures as they are, upright, centre-cropped, each with its first caption."""
    images = to_float(picture.see(centre_crop(pictures.images[rows], picture.window)))
    vectors = pictures.caption_vectors[pictures.caption_offsets[rows]].float()
    return Batch(images, picture.mask(len(rows)), vectors)


def join_batches(parts: Sequence[Batch]) -> Batch:
    """Put batches together, one after the other."""
    return Batch(*(torch.cat(fields) for fields in zip(*parts, strict=True)))


def fixed_batch(sets: Sequence[PreparedSplit], picture: Picture, seed: int, count: int) -> Batch:
    """Draw `count` different pictures, or as many as there are, evenly from every set."""
    rng = torch.Generator().manual_seed(seed)
    chosen = [
        torch.randperm(len(one), generator=rng)[:share]
        for one, share in zip(sets, shares(sets, count, 0.0), strict=True)
    ]
    return join_batches(
        [plain_batch(one, rows, picture) for one, rows in zip(sets, chosen, strict=True)]
    )


def first_captions(pictures: PreparedSplit, rows: Tensor) -> list[str]:
    """Return the text that goes with each vector of `plain_batch`."""
    return [pictures.captions[i] for i in pictures.caption_offsets[rows].tolist()]


def captions_of(pictures: PreparedSplit, row: int) -> list[str]:
    """Return all captions of a picture."""
    first, last = pictures.caption_offsets[row : row + 2].tolist()
    return pictures.captions[first:last]


def shares(sets: Sequence[PreparedSplit], batch_size: int, balance: float) -> list[int]:
    """Split a batch over the sets, in proportion to `count ** balance` (largest remainders)."""
    weights = [len(s.images) ** balance for s in sets]
    exact = [batch_size * w / sum(weights) for w in weights]
    whole = [int(e) for e in exact]
    by_remainder = sorted(range(len(sets)), key=lambda i: whole[i] - exact[i])
    for i in by_remainder[: batch_size - sum(whole)]:
        whole[i] += 1
    return whole


def epoch_rows(count: int, share: int, index: int, seed: int) -> Tensor:
    """Return the rows a batch takes from a set that is shuffled anew each epoch."""
    positions = torch.arange(index * share, (index + 1) * share)
    rows = torch.empty(share, dtype=torch.long)
    for epoch in torch.unique(positions // count).tolist():
        here = positions // count == epoch
        rows[here] = shuffled(count, mix(seed, epoch))[positions[here] % count]
    return rows


def shuffled(count: int, seed: int) -> Tensor:
    """Return an order of `count` rows; about 1 ms for 50,000, so nothing is kept."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def caption_rows(offsets: Tensor, rows: Tensor, rng: torch.Generator) -> Tensor:
    """Draw one of each picture's captions; returns rows of the caption table, `(N,)`."""
    first, count = offsets[rows], offsets[rows + 1] - offsets[rows]
    draw = torch.rand(len(rows), generator=rng)
    return first + (draw * count).long().clamp(max=count - 1)


def mix(seed: int, index: int) -> int:
    """Turn a seed and an index into a seed for torch, far from its neighbours' (splitmix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + index * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return (z ^ (z >> 31)) >> 1
