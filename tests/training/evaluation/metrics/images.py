"""Made-up images and features for the tests of metrics."""

import torch


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=draws)


def ramps(count: int) -> torch.Tensor:
    """Smooth pictures: each column one level brighter than the last."""
    return torch.arange(64, dtype=torch.uint8).expand(count, 3, 64, 64).contiguous()


def samples(count: int, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) + shift
