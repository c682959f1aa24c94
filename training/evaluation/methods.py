"""The methods of an evaluation by name: naive fills, classical inpainting, and a bundle's fills.

A classical method is a function of one picture, uint8 `(3, 64, 64)`, to its fill, uint8
`(3, 32, 32)`; the hole's own pixels are not read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from models.geometry import CENTRE, SIZE, centre, hide, hole_mask
from training.evaluation.dataset import EvaluationSet

MEAN_CENTRE, OTHER_CENTRE = "dataset mean centre", "another image's centre (a warning)"
TELEA, NAVIER_STOKES = "OpenCV Telea", "OpenCV Navier–Stokes"
BIHARMONIC = "scikit-image biharmonic"
TRUE_CAPTION, NO_CAPTION = "bundle, true caption", "bundle, no caption"
WRONG_CAPTION = "bundle, wrong caption"
REAL = "real pictures"
# Not in the table of methods: what the benchmarks compare with.
RESEEDED, NO_CAPTION_RESEEDED = "another seed", "no caption, another seed"
NOISELESS = "without noise"
MAX_TIMED = 50  # pictures
RADIUS = 3  # pixels around a hole pixel that OpenCV's methods read; its tutorial's value

Pixels = NDArray[np.uint8]
Method = Callable[[Tensor], Tensor]
"""Rows of the pictures, int64 `(n,)`, to their fills, uint8 `(n, 3, 32, 32)`."""


def opencv(method: int, picture: Tensor) -> Tensor:
    """Fill by one of OpenCV's methods, radius 3."""
    return _fill_of(np.asarray(cv2.inpaint(_channels_last(picture), _hole(), RADIUS, method)))


def biharmonic(picture: Tensor) -> Tensor:
    """scikit-image's biharmonic equation (Damelin and Hoang 2018)."""
    filled = inpaint_biharmonic(
        _channels_last(picture) / 255.0, _hole().astype(bool), channel_axis=-1
    )
    return _fill_of(np.rint(np.clip(filled, 0, 1) * 255).astype(np.uint8))


CLASSICAL: dict[str, Callable[[Tensor], Tensor]] = {
    TELEA: partial(opencv, cv2.INPAINT_TELEA),  # fast marching (Telea 2004)
    NAVIER_STOKES: partial(opencv, cv2.INPAINT_NS),  # Bertalmio et al. 2001
    BIHARMONIC: biharmonic,
}


def mean_centre(centres: Tensor) -> Tensor:
    """The mean of `centres` uint8 `(N, 3, 32, 32)`, rounded, as one fill `(3, 32, 32)`."""
    return centres.double().mean(0).round().to(torch.uint8)


def baseline_methods(pictures: EvaluationSet) -> dict[str, Method]:
    """Return the methods without a network, in the table's order."""
    mean = mean_centre(pictures.centres)
    # The classical methods get what the network gets: a picture whose hole is already blank.
    contexts = hide(pictures.pixels, hole_mask())
    return {
        MEAN_CENTRE: lambda rows: mean.expand(len(rows), -1, -1, -1),
        OTHER_CENTRE: lambda rows: centre(pictures.pixels[pictures.mismatched[rows]]),
        **{name: one_by_one(contexts, baseline) for name, baseline in CLASSICAL.items()},
    }


def one_by_one(contexts: Tensor, baseline: Callable[[Tensor], Tensor]) -> Method:
    """Return a method that fills one picture after the other."""
    return lambda rows: torch.stack([baseline(contexts[i]) for i in rows.tolist()])


def median_time(method: Method, count: int) -> float:
    """Return the median milliseconds of one picture, over at most 50 after one for warm-up."""
    method(torch.arange(1))
    times = []
    for row in torch.split(torch.arange(min(count, MAX_TIMED)), 1):
        start = time.perf_counter()
        method(row)
        times.append(1000 * (time.perf_counter() - start))
    return median(times)


def _channels_last(picture: Tensor) -> Pixels:
    return np.ascontiguousarray(picture.permute(1, 2, 0).numpy())


def _hole() -> Pixels:
    hole = np.zeros((SIZE, SIZE), np.uint8)
    hole[CENTRE, CENTRE] = 1
    return hole


def _fill_of(filled: Pixels) -> Tensor:
    return torch.from_numpy(filled[CENTRE, CENTRE].copy()).permute(2, 0, 1).contiguous()
