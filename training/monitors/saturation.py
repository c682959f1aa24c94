"""Saturated blobs: patches of a fill pinned at black, white or a pure colour."""

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.functional import avg_pool2d

from training.monitors.base import STRICT, History, Monitor, Observation


@dataclass(frozen=True, config=STRICT)
class Saturation(Monitor):
    """Compares how much of the fills lies in saturated patches with how much of the real ones.

    Patches, not pixels: a white sky has them too, which is why the real ones are the measure, but
    scattered extremes are texture.

    Attributes:
        excess: trouble where the fills' share is greater than the real share by more than this.
        level: a value at least this far from 0 is saturated.
        patch: side of the smallest blob, in pixels; odd.
    """

    act_after: int = Field(default=2000, ge=0)
    excess: float = Field(default=0.1, gt=0, lt=1)
    level: float = Field(default=0.98, gt=0, le=1)
    patch: int = Field(default=5, ge=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return what is wrong where blobs cover much more than in real pictures."""
        fills = blob_share(seen.fills, self.level, self.patch)
        reals = blob_share(seen.reals, self.level, self.patch)
        if fills - reals <= self.excess:
            return None
        return f"saturated blobs: {fills:.0%} of the fills' values, {reals:.0%} of the real ones'"


def blob_share(pictures: Tensor, level: float, patch: int) -> float:
    """Return the share of `patch`×`patch` windows, channel by channel, that are all saturated."""
    saturated = (pictures.float().abs() >= level).float()
    return float((avg_pool2d(saturated, patch, stride=1) > 1 - 1e-4).float().mean())
