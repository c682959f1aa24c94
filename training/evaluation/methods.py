"""The methods of an evaluation: naive fills, classical inpainting, and the fills of a bundle."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from models.geometry import centre, hide, hole_mask
from training.evaluation.baselines import CLASSICAL, Baseline, mean_centre
from training.evaluation.dataset import EvaluationSet

MEAN_CENTRE, OTHER_CENTRE = "dataset mean centre", "another image's centre (a warning)"
TRUE_CAPTION, NO_CAPTION = "bundle, true caption", "bundle, no caption"
WRONG_CAPTION = "bundle, wrong caption"
REAL = "real pictures"
# Not in the table of methods: what the benchmarks compare with.
RESEEDED, NO_CAPTION_RESEEDED = "another seed", "no caption, another seed"
NOISELESS = "without noise"
MAX_TIMED = 50  # pictures

Method = Callable[[Tensor], Tensor]
"""Rows of the pictures, int64 `(n,)`, to their fills, uint8 `(n, 3, 32, 32)`."""

FillFunction = Callable[[Tensor, Tensor, Sequence[int], Sequence[float]], Tensor]
"""Pictures, uint8 `(n, 3, 64, 64)`, caption vectors `(n, D)`, seeds, temperatures; to fills."""


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


def one_by_one(contexts: Tensor, baseline: Baseline) -> Method:
    """Return a method that fills one picture after the other."""
    return lambda rows: torch.stack([baseline(contexts[i]) for i in rows.tolist()])


def bundle_method(
    fill: FillFunction,
    pictures: EvaluationSet,
    captions: Tensor,
    seed: int,
    temperature: float = 1.0,
) -> Method:
    """Return a method of a bundle, with noise of seed + i for picture *i*.

    Args:
        fill: of the bundle.
        pictures: N of them.
        captions: a vector for each picture, `(N, D)`.
        seed: of the noise.
        temperature: scale of the noise.
    """

    def method(rows: Tensor) -> Tensor:
        seeds = [seed + i for i in rows.tolist()]
        return fill(pictures.pixels[rows], captions[rows], seeds, [temperature] * len(seeds))

    return method


def median_time(method: Method, count: int) -> float:
    """Return the median milliseconds of one picture, over at most 50 after one for warm-up."""
    method(torch.arange(1))
    times = []
    for row in torch.split(torch.arange(min(count, MAX_TIMED)), 1):
        start = time.perf_counter()
        method(row)
        times.append(1000 * (time.perf_counter() - start))
    return median(times)
