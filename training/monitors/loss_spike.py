"""Loss jumps: a player's loss leaves its range at once and stays away."""

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
    """Compares each player's loss with what it was at the looks before.

    A jump is measured in robust standard deviations (median absolute deviation) of those looks,
    which are taken as at least a tenth of the median and at least `floor`, so that a loss that has
    settled is not found to jump when it only stirs. One odd batch is no jump: the next look must
    see it too.

    Attributes:
        deviations: trouble above the median by more than this many.
        floor: the least deviation, in units of the loss.
        least_looks: nothing is said before there are so many to compare with.
        most_rollbacks: jumps after so many roll-backs stop the run.
    """

    action: ClassVar[Action] = Action.ROLL_BACK

    act_after: int = Field(default=1, ge=0)
    deviations: float = Field(default=10.0, gt=0)
    floor: float = Field(default=0.05, gt=0)
    least_looks: int = Field(default=8, ge=2)
    most_rollbacks: int = Field(default=2, ge=0)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return what is wrong where a player's loss has jumped up."""
        for player, loss in network_losses(seen.figures).items():
            before = past.get(player, ())
            if len(before) >= self.least_looks and loss > self.limit(list(before)):
                return (
                    f"loss jump: the {player}'s is {loss:.4g}, lately it was {median(before):.4g}"
                )
        return None

    def limit(self, before: list[float]) -> float:
        """Return the highest loss that is no jump after these."""
        middle = median(before)
        spread = MAD_TO_STD * median(abs(loss - middle) for loss in before)
        return middle + self.deviations * max(spread, 0.1 * abs(middle), self.floor)


def network_losses(figures: Mapping[str, float]) -> dict[str, float]:
    """Return each player's loss, the sum of its terms as they were minimised."""
    found = {}
    for player in NETWORKS:
        terms = [value for name, value in figures.items() if name.startswith(f"{player}/")]
        if terms:
            found[player] = sum(terms)
    return found
