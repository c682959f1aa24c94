"""Membranes: values inside a hole that continue those around it as smoothly as possible.

The solution of Laplace's equation with the values around the hole as boundary values (Pérez et al.
2003, "Poisson image editing"). Where the hole meets the edge of the array, the derivative is zero.
"""

import numpy as np

from captionfill.imaging.grid import Values
from captionfill.imaging.masks import Mask

# Of Jacobi's method on each level. From one level to the next only short waves are missing.
_SWEEPS = 6


def solve_membrane(values: Values, hole: Mask) -> Values:
    """Replace the values in a hole by the membrane through the values around it.

    By cascadic multigrid: the solution at half the size is the first guess. All operations are
    on single elements, so that the result is the same on every machine.

    Args:
        values: `(H, W, C)`; what lies in the hole is not read.
        hole: bool `(H, W)`; at least one cell is not in it.

    Returns:
        A new array `(H, W, C)`, equal to the values outside of the hole.
    """
    values = np.where(hole[..., None], np.float32(0), values)
    if not hole.any():
        return values
    means, empty = _halve(values, hole)
    guess = _double(solve_membrane(means, empty))[: len(values), : values.shape[1]]
    return _relax(np.where(hole[..., None], guess, values), hole)


def _halve(values: Values, hole: Mask) -> tuple[Values, Mask]:
    """Return the mean of the known cells of each 2×2, and where there is none."""
    size = hole.shape[0] % 2, hole.shape[1] % 2
    padding = (0, size[0]), (0, size[1])
    known = np.pad(~hole, padding, "edge").astype(np.float32)
    total = _blocks(np.pad(values, (*padding, (0, 0)), "edge"))
    count = _blocks(known[..., None])
    return (total / np.maximum(count, 1)).astype(np.float32), np.equal(count[..., 0], 0)


def _blocks(values: Values) -> Values:
    rows = values[::2] + values[1::2]
    return np.asarray(rows[:, ::2] + rows[:, 1::2])


def _double(values: Values) -> Values:
    """Interpolate linearly at twice the size."""
    for axis in (0, 1):
        ahead = np.moveaxis(values, axis, 0)
        before = np.concatenate([ahead[:1], ahead[:-1]])
        after = np.concatenate([ahead[1:], ahead[-1:]])
        pairs = np.stack([3 * ahead + before, 3 * ahead + after], 1) * np.float32(0.25)
        values = np.moveaxis(pairs.reshape(-1, *ahead.shape[1:]), 0, axis)
    return values


def _relax(values: Values, hole: Mask) -> Values:
    """Replace each cell of the hole by the mean of its four neighbours, several times."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    inner = padded[1:-1, 1:-1]
    for _ in range(_SWEEPS):
        padded[0], padded[-1] = padded[1], padded[-2]
        padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
        mean = padded[:-2, 1:-1] + padded[2:, 1:-1]
        mean += padded[1:-1, :-2]
        mean += padded[1:-1, 2:]
        mean *= np.float32(0.25)
        np.copyto(inner, mean, where=hole[..., None])
    return np.ascontiguousarray(inner)
