"""Monitor `greyness`: fills without contrast, which minimise a squared error."""

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.monitors.base import STRICT, History, Monitor, Observation


@dataclass(frozen=True, config=STRICT)
class LowContrast(Monitor):
    """Compares the contrast of fills with the contrast of real centres.

    Attributes:
        ratio: smallest fraction of the real standard deviation that is no problem.
    """

    act_after: int = Field(default=4000, ge=0)
    ratio: float = Field(default=0.2, gt=0, lt=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return a message if fills are nearly flat."""
        ratio = pixel_std(seen.fills) / max(pixel_std(seen.reals), 1e-6)
        if ratio >= self.ratio:
            return None
        return (
            f"grey fills: their standard deviation is {ratio:.2f} of the real centres' "
            f"({self.ratio} is the least)"
        )


def pixel_std(pictures: Tensor) -> float:
    """Return the standard deviation over the pixels, averaged over images and channels."""
    return float(pictures.float().flatten(2).std(dim=2).mean())
