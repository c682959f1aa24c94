"""Inputs of a generator: each row depends on its own picture and seed alone."""

from collections.abc import Sequence

import numpy as np

from models.pixels import Bytes, Floats, hole_mask, to_context
from models.seeded_noise import seeded_noise

Inputs = tuple[Floats, Floats, Floats, Floats]


def generator_inputs(
    pixels: Bytes,
    captions: Floats,
    seeds: Sequence[int],
    noise_dim: int,
    temperatures: Sequence[float] | None = None,
) -> Inputs:
    """Return the arguments of a generator; those of `Engine.fill` are described there.

    Returns:
        Context `(N, 3, 64, 64)`, mask `(N, 1, 64, 64)`, captions and noise `(N, noise_dim)`.
    """
    mask = np.broadcast_to(hole_mask(), (len(pixels), *hole_mask().shape[1:]))
    noise = seeded_noise(seeds, noise_dim)
    if temperatures is not None:
        noise = noise * np.array(temperatures, np.float32)[:, None]
    return to_context(pixels), mask, np.asarray(captions, np.float32), noise


def example_inputs(caption_dim: int, noise_dim: int) -> tuple[Bytes, Inputs]:
    """Return two images of noise and a generator's inputs for them, the same ones always.

    An engine is checked with them on each CPU.
    """
    draws = np.random.RandomState(0)  # whose numbers no version of NumPy changes
    pixels = draws.randint(0, 256, (2, 3, 64, 64)).astype(np.uint8)
    captions = draws.standard_normal((2, caption_dim)).astype(np.float32)
    captions /= np.linalg.norm(captions, axis=1, keepdims=True)
    return pixels, generator_inputs(pixels, captions, [0, 1], noise_dim)
