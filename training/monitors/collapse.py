"""Mode collapse: the fills of a fixed batch are all but the same picture."""

import math

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.monitors.base import STRICT, History, Monitor, Observation


@dataclass(frozen=True, config=STRICT)
class Collapse(Monitor):
    """Compares how far each fill is from its nearest neighbour with the same of the real ones.

    Nearest, not all pairs: fills that fall into a handful of modes are still far from each other
    on the mean, but each has a double close by.

    Attributes:
        ratio: trouble below this share of the real distance.
    """

    act_after: int = Field(default=5000, ge=0)
    ratio: float = Field(default=0.2, gt=0, lt=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return what is wrong where most fills have a double."""
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
