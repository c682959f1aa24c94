"""The methods of an evaluation: classical inpainting, naive fills, and the bundle's fills."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from models.geometry import centre, hide, hole_mask
from training.evaluation.baselines import CLASSICAL, mean_centre
from training.evaluation.dataset import EvaluationSet

MEAN_CENTRE, OTHER_CENTRE = "dataset mean centre", "another image's centre (a warning)"
TRUE_CAPTION, NO_CAPTION = "bundle, true caption", "bundle, no caption"
WRONG_CAPTION = "bundle, wrong caption"
REAL = "real pictures"
MAX_TIMED = 50  # pictures

Progress = Callable[[str, int, int | None], None]
"""Called with a stage (a method's name), how many pictures are done, and of how many."""

Method = Callable[[Tensor], Tensor]
"""Rows of the pictures, int64 `(n,)`, to their fills, uint8 `(n, 3, 32, 32)`."""

FillFunction = Callable[[Tensor, Tensor, Sequence[int]], Tensor]
"""Pictures, uint8 `(n, 3, 64, 64)`, caption vectors `(n, D)` and a seed each, to their fills."""


def all_methods(fill: FillFunction, pictures: EvaluationSet, seed: int) -> dict[str, Method]:
    """Return every method, in the table's order."""
    mean = mean_centre(pictures.centres)
    # The classical methods get what the network gets: a picture whose hole is already blank.
    contexts = hide(pictures.pixels, hole_mask())
    return {
        MEAN_CENTRE: lambda rows: mean.expand(len(rows), -1, -1, -1),
        OTHER_CENTRE: lambda rows: centre(pictures.pixels[pictures.mismatched[rows]]),
        **{name: one_by_one(contexts, baseline) for name, baseline in CLASSICAL.items()},
        **bundle_methods(fill, pictures, seed),
    }


def bundle_methods(fill: FillFunction, pictures: EvaluationSet, seed: int) -> dict[str, Method]:
    """Return the methods of a bundle: with the true caption, with none and with a wrong one."""
    vectors = pictures.vectors
    captions = {
        TRUE_CAPTION: vectors,
        NO_CAPTION: torch.zeros_like(vectors),
        WRONG_CAPTION: vectors[pictures.mismatched],
    }
    return {n: with_captions(fill, pictures, caption, seed) for n, caption in captions.items()}


def one_by_one(contexts: Tensor, baseline: Callable[[Tensor], Tensor]) -> Method:
    """Return a method that fills one picture after the other."""
    return lambda rows: torch.stack([baseline(contexts[i]) for i in rows.tolist()])


def with_captions(
    fill: FillFunction, pictures: EvaluationSet, captions: Tensor, seed: int
) -> Method:
    """Return a method with one caption vector a picture, and noise of seed + i for picture *i*."""

    def method(rows: Tensor) -> Tensor:
        seeds = [seed + i for i in rows.tolist()]
        return fill(pictures.pixels[rows], captions[rows], seeds)

    return method


def fill_all(name: str, method: Method, count: int, batch_size: int, progress: Progress) -> Tensor:
    """Return the fills of all pictures, uint8 `(count, 3, 32, 32)`, `batch_size` at a time."""
    fills = []
    for rows in torch.split(torch.arange(count), batch_size):
        fills.append(method(rows))
        progress(name, int(rows[-1]) + 1, count)
    return torch.cat(fills)


def median_time(method: Method, count: int) -> float:
    """Return the median milliseconds of one picture, over at most 50 after one for warm-up."""
    method(torch.arange(1))
    times = []
    for row in torch.split(torch.arange(min(count, MAX_TIMED)), 1):
        start = time.perf_counter()
        method(row)
        times.append(1000 * (time.perf_counter() - start))
    return median(times)
