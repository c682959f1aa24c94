"""Monitor `saturation`: patches of black, white or a pure colour."""

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.functional import avg_pool2d

from training.monitors.base import STRICT, History, Monitor, Observation


@dataclass(frozen=True, config=STRICT)
class Saturation(Monitor):
    """Compares the saturated fraction of the fills with that of the real images.

    Patches are counted and not pixels: scattered extremes are texture. A white sky is saturated as
    well, so the real images are the reference.

    Attributes:
        excess: largest difference of the two fractions that is no problem.
        level: a value at least this far from 0 is saturated.
        patch: side of the smallest patch, in pixels; odd.
    """

    act_after: int = Field(default=2000, ge=0)
    excess: float = Field(default=0.1, gt=0, lt=1)
    level: float = Field(default=0.98, gt=0, le=1)
    patch: int = Field(default=5, ge=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return a message if patches cover much more than in real images."""
        fills = blob_share(seen.fills, self.level, self.patch)
        reals = blob_share(seen.reals, self.level, self.patch)
        if fills - reals <= self.excess:
            return None
        return f"saturated blobs: {fills:.0%} of the fills' values, {reals:.0%} of the real ones'"


def blob_share(pictures: Tensor, level: float, patch: int) -> float:
    """Return the fraction of `patch`×`patch` windows, per channel, that are all saturated."""
    saturated = (pictures.float().abs() >= level).float()
    return float((avg_pool2d(saturated, patch, stride=1) > 1 - 1e-4).float().mean())
