"""Correct a fill so that it continues its surroundings without a step (Poisson image editing)."""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from models.geometry import EDGE, HOLE


class BoundaryCorrection(nn.Module):
    """Membrane interpolation of Pérez, Gangnet & Blake 2003, "Poisson image editing", eq. 7 and 8.

    The generator predicts the hole and a margin of visible pixels. Its error on the border pixels
    around the hole is interpolated into the hole by the discrete harmonic function with these
    boundary values, and added to the fill. This removes steps in brightness and keeps texture. The
    layer has no parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weights: Tensor
        self.register_buffer("weights", harmonic_weights(HOLE).float(), persistent=False)

    def forward(self, wide: Tensor, context: Tensor) -> Tensor:
        """Correct the hole of a prediction; its margin is unchanged.

        Args:
            wide: `(N, 3, F, F)`, -1 to 1: the hole and at least 1 visible pixel on each side.
            context: `(N, 3, 64, 64)`, -1 to 1; only the border pixels around the hole are read.

        Returns:
            `(N, 3, F, F)`, not clipped to -1 to 1.
        """
        margin = (wide.shape[-1] - HOLE) // 2
        error = border_pixels(context, EDGE) - border_pixels(wide, margin)
        correction = (error @ self.weights.T).reshape(*error.shape[:2], HOLE, HOLE)
        return wide + pad(correction, (margin,) * 4)


def border_pixels(x: Tensor, edge: int) -> Tensor:
    """Return the pixels above, below, left and right of the hole, `(N, C, 4 × 32)`.

    The hole is in the middle of `(N, C, S, S)`, with `edge` pixels on each side.
    """
    before, after, along = edge - 1, edge + HOLE, slice(edge, edge + HOLE)
    sides = [x[..., before, along], x[..., after, along], x[..., along, before]]
    return torch.cat([*sides, x[..., along, after]], dim=-1)


@lru_cache(maxsize=1)
def harmonic_weights(side: int) -> Tensor:
    """Return the weight of each border pixel in each pixel of a square, `(side², 4 × side)`.

    Solves the five-point Laplace equation with the border pixels as boundary values. float64; all
    weights are positive, and each row sums to 1. The columns are ordered as in `border_pixels`.
    """
    # Computed on the CPU even where a network is first built on the meta device: the result is
    # cached for later networks.
    one = torch.eye(side, dtype=torch.float64, device="cpu")
    neighbours = one[:, 1:] @ one[:-1]
    second_difference = 2 * one - neighbours - neighbours.T
    laplacian = torch.kron(second_difference, one) + torch.kron(one, second_difference)
    first, last = one[:, :1], one[:, -1:]
    border = [torch.kron(end, one) for end in (first, last)]
    border += [torch.kron(one, end) for end in (first, last)]
    weights: Tensor = torch.linalg.solve(laplacian, torch.cat(border, dim=1))
    return weights
