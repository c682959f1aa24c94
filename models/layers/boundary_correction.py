"""Make a fill meet its surroundings: what it misses at the border is taken out of it as well."""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from models.geometry import EDGE, HOLE


class BoundaryCorrection(nn.Module):
    """The membrane of Pérez, Gangnet & Blake 2003, "Poisson image editing", eq. 7 and 8.

    A network predicts the hole and what is seen around it; what it misses of the latter it
    misses, more or less, of the pixels beside it too. The misfit on the frame of pixels that touch
    the hole is carried into the hole by the discrete harmonic function with those values at its
    border, and added: brightness goes on without a step, texture stays. It has no weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weights: Tensor
        self.register_buffer("weights", harmonic_weights(HOLE).float(), persistent=False)

    def forward(self, wide: Tensor, context: Tensor) -> Tensor:
        """Correct the hole of a prediction; around it the prediction stays as it is.

        Args:
            wide: `(N, 3, F, F)`, -1 to 1: the hole and at least 1 visible pixel on each side.
            context: `(N, 3, 64, 64)`, -1 to 1; only the frame around the hole is read.

        Returns:
            `(N, 3, F, F)`; may leave -1 to 1.
        """
        margin = (wide.shape[-1] - HOLE) // 2
        misfit = border_pixels(context, EDGE) - border_pixels(wide, margin)
        carried = (misfit @ self.weights.T).reshape(*misfit.shape[:2], HOLE, HOLE)
        return wide + pad(carried, (margin,) * 4)


def border_pixels(x: Tensor, edge: int) -> Tensor:
    """Return the pixels that touch the hole: above, below, left and right of it, `(N, C, 4 × 32)`.

    Args:
        x: `(N, C, S, S)`, the hole in its middle.
        edge: pixels on each side of the hole.
    """
    before, after, along = edge - 1, edge + HOLE, slice(edge, edge + HOLE)
    sides = [x[..., before, along], x[..., after, along], x[..., along, before]]
    return torch.cat([*sides, x[..., along, after]], dim=-1)


@lru_cache(maxsize=1)
def harmonic_weights(side: int) -> Tensor:
    """Return what each pixel around a square weighs in each pixel of it, `(side², 4 × side)`.

    float64, every row of it positive and of sum 1: the solution of the five-point Laplace equation
    with the frame's values at its border. Ordered as `border_pixels` is.
    """
    # On the CPU whatever is asked for around it: a network may be built without any numbers (on
    # `meta`) before one is built with them.
    one = torch.eye(side, dtype=torch.float64, device="cpu")
    beside = one[:, 1:] @ one[:-1]
    step = 2 * one - beside - beside.T
    laplacian = torch.kron(step, one) + torch.kron(one, step)
    first, last = one[:, :1], one[:, -1:]
    border = [torch.kron(end, one) for end in (first, last)]
    border += [torch.kron(one, end) for end in (first, last)]
    weights: Tensor = torch.linalg.solve(laplacian, torch.cat(border, dim=1))
    return weights
