"""The pictures of an evaluation, each with its true caption and a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.geometry import SIZE, centre, hole_mask, paste
from training.common.errors import EvaluationError
from training.data.augment import centre_crop
from training.data.batches import ImageDataset, first_caption_vectors, first_captions


@dataclass(frozen=True)
class EvaluationSet:
    """N pictures, each with the first of its captions.

    Attributes:
        pixels: uint8 `(N, 3, 64, 64)`.
        captions: N texts.
        vectors: float32 `(N, D)`, the captions' vectors.
        mismatched: int64 `(N,)`, for each picture another one whose caption is wrong for it
            (`mismatched_rows`).
    """

    pixels: Tensor
    captions: list[str]
    vectors: Tensor
    mismatched: Tensor

    def __len__(self) -> int:
        return len(self.captions)

    @property
    def centres(self) -> Tensor:
        """The real centres, uint8 `(N, 3, 32, 32)`."""
        return centre(self.pixels)

    def gather(self, rows: Tensor) -> EvaluationSet:
        """Select rows, int64 `(n,)`; `mismatched` still refers to the rows of the whole set."""
        captions = [self.captions[row] for row in rows.tolist()]
        return EvaluationSet(self.pixels[rows], captions, self.vectors[rows], self.mismatched[rows])

    def composites(self, fills: Tensor) -> Tensor:
        """The pictures with `fills`, uint8 `(N, 3, 32, 32)`, in their holes."""
        return paste(self.pixels, hole_mask(), fills)


def select_pictures(prepared: ImageDataset, limit: int | None, seed: int) -> EvaluationSet:
    """Take at most `limit` pictures, evenly spaced, cut to their central 64×64.

    Raises:
        EvaluationError: fewer than two pictures, or pictures under 64×64.
    """
    size = prepared.manifest.size
    chosen = evenly_spaced(len(prepared), limit)
    if len(chosen) < 2:
        raise EvaluationError(f"an evaluation needs at least 2 pictures, not {len(chosen)}")
    if size < SIZE:
        raise EvaluationError(f"the data hold {size}×{size} pictures; {SIZE}×{SIZE} are needed")
    selected = prepared.gather(chosen)
    captions = first_captions(prepared, chosen)
    # Captions of one class mean the same: no wrong caption comes from the picture's own class.
    groups = [label or text for label, text in zip(selected.labels, captions, strict=True)]
    return EvaluationSet(
        pixels=centre_crop(selected.images).contiguous(),
        captions=captions,
        vectors=first_caption_vectors(selected),
        mismatched=mismatched_rows(groups, seed),
    )


def evenly_spaced(available: int, limit: int | None) -> Tensor:
    """Return at most `limit` evenly spaced rows of `available`; all if `limit` is None."""
    count = available if limit is None else min(limit, available)
    return torch.arange(count) * available // max(count, 1)


def mismatched_rows(groups: Sequence[str], seed: int = 0) -> Tensor:
    """Return for each picture the row of another one, from another group where possible.

    A fixed derangement, int64 `(N,)`, N at least 2. Groups are pictures whose captions mean the
    same, such as one class. They are put in random order and shifted by half the set, so that no
    picture is paired with its own group unless that group is more than half of the set.
    """
    draws = np.random.default_rng(seed)
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    order = np.lexsort((draws.random(len(group)), draws.permutation(len(names))[group]))
    others = np.empty_like(order)
    others[order] = np.roll(order, -(len(order) // 2))
    return torch.from_numpy(others)
