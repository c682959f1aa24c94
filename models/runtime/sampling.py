"""Inputs of a generator: each row depends on its own picture and seed alone."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.geometry import hide, hole_mask, to_float


def seeded_noise(seeds: Sequence[int], noise_dim: int) -> Tensor:
    """Draw a row of noise from each seed, 0 to 2**63 - 1.

    Returns:
        float32 `(N, noise_dim)`, standard normal, on the CPU.
    """
    rows = [torch.randn(noise_dim, generator=torch.Generator().manual_seed(s)) for s in seeds]
    return torch.stack(rows) if rows else torch.zeros(0, noise_dim)


def generator_inputs(
    pixels: Tensor,
    captions: Tensor,
    seeds: Sequence[int],
    noise_dim: int,
    *,
    device: torch.device | str = "cpu",
    temperatures: Sequence[float] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the arguments of a generator on a device; those of `Engine.fill` are described there.

    Returns:
        Context `(N, 3, 64, 64)`, mask `(N, 1, 64, 64)`, captions and noise `(N, noise_dim)`.
    """
    mask = hole_mask(len(pixels), device)
    context = hide(to_float(pixels.to(device)), mask)
    noise = seeded_noise(seeds, noise_dim)
    if temperatures is not None:
        noise = noise * torch.tensor(temperatures, dtype=noise.dtype)[:, None]
    return context, mask, captions.to(device), noise.to(device)
