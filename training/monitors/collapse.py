"""Monitor `collapse`: mode collapse, fills of a fixed batch that are nearly equal."""

import math

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.monitors.base import STRICT, History, Monitor, Observation


@dataclass(frozen=True, config=STRICT)
class Collapse(Monitor):
    """Compares the distance of each fill to its nearest neighbour with that of real images.

    The nearest and not all pairs: fills of a few modes are far from each other on average, but each
    has a near copy.

    Attributes:
        ratio: smallest fraction of the real distance that is no problem.
    """

    act_after: int = Field(default=5000, ge=0)
    ratio: float = Field(default=0.2, gt=0, lt=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return a message if most fills have a near copy."""
        ratio = nearest_distance(seen.fills) / max(nearest_distance(seen.reals), 1e-6)
        if ratio >= self.ratio:
            return None
        return (
            f"mode collapse: a fill is {ratio:.3f} times as far from the nearest other fill as a "
            f"real picture is from the nearest other ({self.ratio} is the least)"
        )


def nearest_distance(pictures: Tensor) -> float:
    """Return the median RMS distance of each of `(N, C, H, W)` to its nearest neighbour."""
    flat = pictures.flatten(1).double()
    distance = torch.cdist(flat, flat).fill_diagonal_(float("inf"))
    nearest = distance.min(dim=1).values.median()
    return float(nearest) / math.sqrt(flat.shape[1])
