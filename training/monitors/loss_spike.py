"""Monitor `jump`: a loss leaves its range suddenly and stays outside."""

from collections.abc import Mapping
from statistics import median
from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from training.monitors.base import STRICT, Action, History, Monitor, Observation

NETWORKS = ("generator", "discriminator")
# The MAD of a normal distribution is its standard deviation divided by this.
MAD_TO_STD = 1.4826


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
    for network in NETWORKS:
        terms = [value for name, value in figures.items() if name.startswith(f"{network}/")]
        if terms:
            found[network] = sum(terms)
    return found
