"""Fill centres with a bundle."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.geometry import hide, hole_mask, to_float, to_uint8
from models.runtime.bundle import Bundle


def seeded_noise(seeds: Sequence[int], noise_dim: int) -> Tensor:
    """Draw noise that depends on each seed alone, never on its neighbours.

    Args:
        seeds: N integers, 0 to 2**63 - 1.
        noise_dim: length of a noise vector.

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
    """Make what a generator takes of what a caller has; row by row, with no neighbour's part in it.

    Args:
        pixels: uint8 `(N, 3, 64, 64)`; what lies in the hole is not read.
        captions: float `(N, caption_dim)`; zeros for no caption.
        seeds: one a picture.
        noise_dim: length of a noise vector.
        device: where the result goes.
        temperatures: standard deviation of each picture's noise; 1 by default.

    Returns:
        Context `(N, 3, 64, 64)`, mask `(N, 1, 64, 64)`, captions and noise `(N, noise_dim)`.
    """
    mask = hole_mask(len(pixels), device)
    context = hide(to_float(pixels.to(device)), mask)
    noise = seeded_noise(seeds, noise_dim)
    if temperatures is not None:
        noise = noise * torch.tensor(temperatures, dtype=noise.dtype)[:, None]
    noise = noise.to(device)
    return context, mask, captions.to(device), noise


@torch.inference_mode()
def fill_centres(bundle: Bundle, pixels: Tensor, captions: Tensor, seeds: Sequence[int]) -> Tensor:
    """Fill the hole of each picture, as one batch in torch (`models.runtime.engines` serves).

    Args:
        bundle: the generator to use.
        pixels: uint8 `(N, 3, 64, 64)`; what lies in the hole is not read.
        captions: float `(N, caption_dim)`; zeros for no caption.
        seeds: one a picture.

    Returns:
        uint8 `(N, 3, 32, 32)` on the CPU.
    """
    device = next(bundle.generator.parameters()).device
    inputs = generator_inputs(pixels, captions, seeds, bundle.config.noise_dim, device=device)
    return to_uint8(bundle.generator(*inputs)).cpu()
