"""Grey fills: flat patches without contrast, the safe answer to a squared error."""

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.monitors.base import STRICT, History, Monitor, Observation


@dataclass(frozen=True, config=STRICT)
class LowContrast(Monitor):
    """Compares the contrast within fills with the contrast within real centres.

    Attributes:
        ratio: trouble below this share of the real standard deviation.
    """

    act_after: int = Field(default=4000, ge=0)
    ratio: float = Field(default=0.2, gt=0, lt=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return what is wrong where fills are nearly flat."""
        ratio = pixel_std(seen.fills) / max(pixel_std(seen.reals), 1e-6)
        if ratio >= self.ratio:
            return None
        return (
            f"grey fills: their standard deviation is {ratio:.2f} of the real centres' "
            f"({self.ratio} is the least)"
        )


def pixel_std(pictures: Tensor) -> float:
    """Return the standard deviation over each picture's pixels, the mean over all `(N, C)`."""
    return float(pictures.float().flatten(2).std(dim=2).mean())
