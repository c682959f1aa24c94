"""Real pictures, as guards see them: photographs that scikit-image ships, in 32×32 pieces."""

import pytest
import torch
from skimage import data


def pieces(photo):
    """Cut a photograph, halved in size, into `(N, 3, 32, 32)` from -1 to 1."""
    half = torch.from_numpy(photo[::2, ::2].copy()).permute(2, 0, 1) / 127.5 - 1
    cut = half.unfold(1, 32, 32).unfold(2, 32, 32)
    return cut.permute(1, 2, 0, 3, 4).reshape(-1, 3, 32, 32)


@pytest.fixture(scope="session")
def photos():
    """Two batches of 64 pieces each: stand-ins for real centres and for good fills."""
    every = torch.cat([pieces(p) for p in (data.astronaut(), data.chelsea(), data.coffee())])
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(0))
    return every[order[:64]], every[order[64:128]]
