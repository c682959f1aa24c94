"""Kernel Inception Distance (Bińkowski et al. 2018) between composites and real images.

torchmetrics' KID is not used: its subsets may hold a composite and its own original, which share
three quarters of their pixels. Here the two sides of a subset are of different photographs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

KID_SUBSETS = 50
KID_SUBSET_SIZE = 250
KID_MIN_IMAGES = 4  # the unbiased estimator needs two a side, of different photographs


@dataclass(frozen=True)
class Kid:
    """KID: mean and standard deviation of the unbiased MMD² over `subsets` subsets."""

    mean: float
    spread: float
    subset_size: int
    subsets: int


def kid(features: Tensor, reference: Tensor, seed: int = 0) -> Kid:
    """Compute the KID of composites to real images.

    The estimator is made for independent samples, so no subset holds a photograph on both sides;
    each has `min(250, N // 2)` a side.
    Subsets depend on `seed` and N alone: every method of a table is measured on the same ones.

    Args:
        features: float `(N, D)` of the composites.
        reference: float `(N, D)` of the real images, in the same order; N at least 4.
        seed: of the subsets.
    """
    count = len(features)
    size = min(KID_SUBSET_SIZE, count // 2)
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(KID_SUBSETS):
        order = torch.randperm(count, generator=generator)
        values.append(squared_mmd(features[order[:size]], reference[order[size : 2 * size]]))
    return Kid(float(np.mean(values)), float(np.std(values)), size, KID_SUBSETS)


def squared_mmd(first: Tensor, second: Tensor) -> float:
    """Unbiased squared MMD of two samples `(M, D)`, M at least 2, cubic polynomial kernel."""
    count = len(first)
    kernels = [_kernel(sample, sample).double() for sample in (first, second)]
    within = sum(float(kernel.sum() - kernel.diagonal().sum()) for kernel in kernels)
    across = float(_kernel(first, second).double().mean())
    return within / (count * (count - 1)) - 2 * across


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1) ** 3
