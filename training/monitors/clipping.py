"""Monitor `clipping`: critic weights at the clip, which costs the critic capacity."""

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.monitors.base import STRICT, History, Monitor, Observation

NEAR = 0.999


@dataclass(frozen=True, config=STRICT)
class Clipping(Monitor):
    """Counts the weights at ±clip (Gulrajani et al. 2017, §3 and figure 1b).

    Attributes:
        share: largest fraction of weights at the clip that is no problem.
    """

    share: float = Field(default=0.8, gt=0, lt=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return a message if most weights are at the clip."""
        if seen.clip is None:
            return None
        share = pinned_share(list(seen.critic_weights), seen.clip)
        if share <= self.share:
            return None
        return f"critic weights pinned: {share:.0%} lie at the clip of {seen.clip:g}"


def pinned_share(weights: list[Tensor], clip: float) -> float:
    """Return the fraction of weights at ±clip; 0 without weights."""
    pinned = sum(int((weight.detach().abs() >= NEAR * clip).sum()) for weight in weights)
    return pinned / max(1, sum(weight.numel() for weight in weights))
