"""Baselines without a trained network: classical inpainting methods and naive fills.

Each classical method is a function of one picture, uint8 `(3, 64, 64)`, to its fill, uint8
`(3, 32, 32)`; the hole's own pixels are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from models.geometry import CENTRE, SIZE

Pixels = NDArray[np.uint8]
Baseline = Callable[[Tensor], Tensor]
TELEA, NAVIER_STOKES = "OpenCV Telea", "OpenCV Navier–Stokes"
BIHARMONIC = "scikit-image biharmonic"
RADIUS = 3  # pixels around a hole pixel that OpenCV's methods read; its tutorial's value


def telea(picture: Tensor) -> Tensor:
    """OpenCV's fast marching method (Telea 2004), radius 3."""
    return _opencv(picture, cv2.INPAINT_TELEA)


def navier_stokes(picture: Tensor) -> Tensor:
    """OpenCV's Navier–Stokes method (Bertalmio et al. 2001), radius 3."""
    return _opencv(picture, cv2.INPAINT_NS)


def biharmonic(picture: Tensor) -> Tensor:
    """scikit-image's biharmonic equation (Damelin and Hoang 2018)."""
    filled = inpaint_biharmonic(
        _channels_last(picture) / 255.0, _hole().astype(bool), channel_axis=-1
    )
    return _fill_of(np.rint(np.clip(filled, 0, 1) * 255).astype(np.uint8))


CLASSICAL: dict[str, Baseline] = {
    TELEA: telea,
    NAVIER_STOKES: navier_stokes,
    BIHARMONIC: biharmonic,
}


def mean_centre(centres: Tensor) -> Tensor:
    """The mean of `centres` uint8 `(N, 3, 32, 32)`, rounded, as one fill `(3, 32, 32)`."""
    return centres.double().mean(0).round().to(torch.uint8)


def mismatched_rows(groups: Sequence[str], seed: int = 0) -> Tensor:
    """Return for each picture the row of another one, from another group where possible.

    A fixed derangement. Groups are pictures whose captions mean the same, such as one class. They
    are put in random order and shifted by half the set, so that no picture is paired with its own
    group unless that group is more than half of the set.

    Args:
        groups: the group of each picture, at least 2 pictures.
        seed: of the order.

    Returns:
        int64 `(N,)`, a permutation without a fixed point.
    """
    draws = np.random.default_rng(seed)
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    order = np.lexsort((draws.random(len(group)), draws.permutation(len(names))[group]))
    others = np.empty_like(order)
    others[order] = np.roll(order, -(len(order) // 2))
    return torch.from_numpy(others)


def _opencv(picture: Tensor, method: int) -> Tensor:
    return _fill_of(np.asarray(cv2.inpaint(_channels_last(picture), _hole(), RADIUS, method)))


def _channels_last(picture: Tensor) -> Pixels:
    return np.ascontiguousarray(picture.permute(1, 2, 0).numpy())


def _hole() -> Pixels:
    hole = np.zeros((SIZE, SIZE), np.uint8)
    hole[CENTRE, CENTRE] = 1
    return hole


def _fill_of(filled: Pixels) -> Tensor:
    return torch.from_numpy(filled[CENTRE, CENTRE].copy()).permute(2, 0, 1).contiguous()
