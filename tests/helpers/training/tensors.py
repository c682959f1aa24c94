"""Made-up batches of images."""

import torch


def noise_batch(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return seeded uniform noise, uint8."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def mean_colour(images: torch.Tensor) -> torch.Tensor:
    """Return the mean colours (N, 3) of images (N, 3, H, W)."""
    return images.float().mean((2, 3))
