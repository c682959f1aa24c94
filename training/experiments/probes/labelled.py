"""Labelled pictures, as a source publishes them, to test features on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.common.errors import PictureError, SourceError
from training.data.image_io import decode_png, square_png
from training.data.sources.base import Example
from training.data.sources.cifar10 import read_cifar10


@dataclass(frozen=True)
class Labelled:
    """Pictures of classes.

    Attributes:
        pixels: uint8 `(N, 3, S, S)`.
        labels: N class names.
    """

    pixels: Tensor
    labels: np.ndarray


def draw_cifar10(place: Path, counts: dict[str, int], size: int, seed: int) -> dict[str, Labelled]:
    """Draw pictures of each split, read as `prepare cifar10` reads them.

    Args:
        place: the folder or archive, as published.
        counts: split (`train`, `test`) -> how many.
        size: side of the pictures.
        seed: of the draw.

    Raises:
        SourceError: it is not there, or a split has fewer pictures than asked for.
    """
    if not place.exists():
        raise SourceError(f"{place}: no such file or folder")
    found: dict[str, list[tuple[bytes, str]]] = {split: [] for split in counts}
    for item in read_cifar10(place):
        if isinstance(item, Example) and item.split in found:
            found[item.split].append((item.read(), item.label))
    return {split: draw_split(found[split], split, counts[split], size, seed) for split in counts}


def draw_split(
    files: list[tuple[bytes, str]], split: str, count: int, size: int, seed: int
) -> Labelled:
    """Draw so many of a split's files, and decode them."""
    if len(files) < count:
        raise SourceError(f"the split {split!r} has {len(files)} pictures, not {count}")
    rows = np.random.default_rng(seed).permutation(len(files))[:count].tolist()
    try:
        pictures = np.stack([decode_png(square_png(files[row][0], size)) for row in rows])
    except PictureError as error:
        raise SourceError(f"a picture of the split {split!r} {error}") from error
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    return Labelled(pixels, np.array([files[row][1] for row in rows]))
