"""Monitor `balance`: BEGAN's k stuck at an end of its range."""

from pydantic import Field
from pydantic.dataclasses import dataclass

from training.monitors.base import STRICT, History, Monitor, Observation

K = "state/k"


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
        k = seen.figures.get(K)
        if k is None or self.margin < k < 1 - self.margin:
            return None
        if k <= self.margin:
            return "k stuck at 0: the fills rebuild too badly for gamma; the discriminator is blind"
        return "k stuck at 1: the fills rebuild too well for gamma; lower gamma or widen the code"
