"""Monitors of the training's state: BEGAN's k, the losses, and the critic's clipped weights."""

from collections.abc import Mapping
from statistics import median
from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.monitors.base import STRICT, Action, History, Monitor, Observation

# The MAD of a normal distribution is its standard deviation divided by this.
MAD_TO_STD = 1.4826
NEAR = 0.999


@dataclass(frozen=True, config=STRICT)
class Balance(Monitor):
    """Checks k, which is clipped to 0..1 (Berthelot et al. 2017, eq. 4).

    At 0 the discriminator ignores the fills; at 1 their weight is at its maximum. Either is normal
    for a while, since k₀ = 0, so only a long stay is a problem.

    Attributes:
        margin: distance to an end that counts as stuck.
    """

    warn_after: int = Field(default=1000, ge=0)
    margin: float = Field(default=1e-4, ge=0, lt=0.5)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return a message if k is at an end."""
        k = seen.figures.get("state/k")
        if k is None or self.margin < k < 1 - self.margin:
            return None
        if k <= self.margin:
            return "k stuck at 0: the fills rebuild too badly for gamma; the discriminator is blind"
        return "k stuck at 1: the fills rebuild too well for gamma; lower gamma or widen the code"


@dataclass(frozen=True, config=STRICT)
class LossSpike(Monitor):
    """Compares each network's loss with those at the observations before.

    A jump is measured in robust standard deviations (by the median absolute deviation), of at least
    a tenth of the median and at least `floor`, so that small changes of a settled loss are no jump.
    The next observation must show the jump as well.

    Attributes:
        deviations: a jump is more than this many above the median.
        floor: smallest deviation, in units of the loss.
        least_looks: observations needed before a jump can be found.
        most_rollbacks: roll-backs before a jump stops the run.
    """

    action: ClassVar[Action] = Action.ROLL_BACK

    act_after: int = Field(default=1, ge=0)
    deviations: float = Field(default=10.0, gt=0)
    floor: float = Field(default=0.05, gt=0)
    least_looks: int = Field(default=8, ge=2)
    most_rollbacks: int = Field(default=2, ge=0)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return a message if a network's loss has jumped up."""
        for network, loss in network_losses(seen.figures).items():
            before = past.get(network, ())
            if len(before) >= self.least_looks and loss > self.limit(list(before)):
                return (
                    f"loss jump: the {network}'s is {loss:.4g}, lately it was {median(before):.4g}"
                )
        return None

    def limit(self, before: list[float]) -> float:
        """Return the highest loss that is no jump."""
        middle = median(before)
        spread = MAD_TO_STD * median(abs(loss - middle) for loss in before)
        return middle + self.deviations * max(spread, 0.1 * abs(middle), self.floor)


def network_losses(figures: Mapping[str, float]) -> dict[str, float]:
    """Return each network's loss: the sum of its weighted terms."""
    found = {}
    for network in ("generator", "discriminator"):
        terms = [value for name, value in figures.items() if name.startswith(f"{network}/")]
        if terms:
            found[network] = sum(terms)
    return found


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
