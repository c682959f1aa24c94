"""Every way to fill a hole that an evaluation sets side by side, and how fast each one is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from models.geometry import centre, hide, hole_mask
from training.evaluation.baselines import CLASSICAL, mean_centre
from training.evaluation.dataset import EvaluationSet

MEAN, OTHER = "dataset mean centre", "another image's centre (a warning)"
TRUE, NONE, WRONG = "bundle, true caption", "bundle, no caption", "bundle, wrong caption"
TIMED_PICTURES = 50

Progress = Callable[[str, int, int | None], None]
"""Called with the stage (a method's name), how many pictures are done, of how many."""

Method = Callable[[Tensor], Tensor]
"""Picture numbers, int64 `(n,)`, to their fills, uint8 `(n, 3, 32, 32)`."""

Filler = Callable[[Tensor, Tensor, Sequence[int]], Tensor]
"""Pictures, uint8 `(n, 3, 64, 64)`, caption vectors `(n, D)` and a seed each, to their fills."""


def all_methods(filler: Filler, pictures: EvaluationSet, seed: int) -> dict[str, Method]:
    """Every row of the table that makes a fill, in the table's order."""
    mean = mean_centre(pictures.centres)
    # The classical methods get what the network gets: a picture whose hole is already blank.
    contexts = hide(pictures.pixels, hole_mask())
    return {
        MEAN: lambda numbers: mean.expand(len(numbers), -1, -1, -1),
        OTHER: lambda numbers: centre(pictures.pixels[pictures.others[numbers]]),
        **{name: _one_by_one(contexts, fill) for name, fill in CLASSICAL.items()},
        **bundle_methods(filler, pictures, seed),
    }


def bundle_methods(filler: Filler, pictures: EvaluationSet, seed: int) -> dict[str, Method]:
    """The rows that a bundle makes: by the true caption, by none and by a wrong one."""
    vectors = pictures.vectors
    captions = {TRUE: vectors, NONE: torch.zeros_like(vectors), WRONG: vectors[pictures.others]}
    return {n: with_captions(filler, pictures, caption, seed) for n, caption in captions.items()}


def _one_by_one(contexts: Tensor, fill: Callable[[Tensor], Tensor]) -> Method:
    return lambda numbers: torch.stack([fill(contexts[i]) for i in numbers.tolist()])


def with_captions(filler: Filler, pictures: EvaluationSet, captions: Tensor, seed: int) -> Method:
    """Fills with one caption vector a picture, noise of seed + i for picture i."""

    def fill(numbers: Tensor) -> Tensor:
        seeds = [seed + i for i in numbers.tolist()]
        return filler(pictures.pixels[numbers], captions[numbers], seeds)

    return fill


def fill_all(name: str, method: Method, count: int, batch_size: int, progress: Progress) -> Tensor:
    """The fills of all pictures, uint8 `(count, 3, 32, 32)`, `batch_size` at a time."""
    fills = []
    for numbers in torch.arange(count).split(batch_size):
        fills.append(method(numbers))
        progress(name, int(numbers[-1]) + 1, count)
    return torch.cat(fills)


def median_time(method: Method, count: int) -> float:
    """Median milliseconds of one picture at a time, over at most 50 after one for warm-up."""
    method(torch.arange(1))
    times = []
    for number in torch.arange(min(count, TIMED_PICTURES)).split(1):
        start = time.perf_counter()
        method(number)
        times.append(1000 * (time.perf_counter() - start))
    return median(times)
