"""BEGAN's lower bound on the Wasserstein distance, on normal distributions (Berthelot et al. 2017).

§3.2 bounds `W₁(μ₁, μ₂)` of two loss distributions from below by `|m₁ - m₂|` (Jensen). The first
version of the preprint takes them for normal, §3.1–3.3, where the distance has a closed form:
`W₂² = (m₁ - m₂)² + (c₁ + c₂ - 2√(c₁c₂))` (eq. 1), and asks that
`(c₁ + c₂ - 2√(c₁c₂)) / (m₁ - m₂)²` does not fall as the distance grows (eq. 2), so that moving the
means moves the distance.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, wasserstein_distance

SAMPLES = 20_000


@dataclass(frozen=True)
class Pair:
    """Two normal distributions: means m and variances c."""

    m1: float
    c1: float
    m2: float
    c2: float

    @property
    def bound(self) -> float:
        """`|m₁ - m₂|`, the lower bound on W₁."""
        return abs(self.m1 - self.m2)

    @property
    def spread(self) -> float:
        """`c₁ + c₂ - 2√(c₁c₂)`, which is `(√c₁ - √c₂)²`: what the bound leaves out."""
        return (math.sqrt(self.c1) - math.sqrt(self.c2)) ** 2

    @property
    def ratio(self) -> float:
        """The condition's ratio; infinite where the means are the same."""
        return self.spread / self.bound**2 if self.bound else math.inf

    @property
    def w1(self) -> float:
        """W₁ exactly: the mean of a folded normal.

        On the line the best coupling keeps the order, so `W₁ = E|Δm + Δσ·Z|` with `Z ~ N(0, 1)`.
        """
        sigma = math.sqrt(self.spread)
        if sigma == 0:
            return self.bound
        scaled = self.bound / sigma
        tail = float(norm.cdf(-scaled))
        return sigma * math.sqrt(2 / math.pi) * math.exp(-(scaled**2) / 2) + self.bound * (
            1 - 2 * tail
        )

    @property
    def w2(self) -> float:
        """W₂ exactly (eq. 1)."""
        return math.sqrt(self.bound**2 + self.spread)

    @property
    def tightness(self) -> float:
        """Bound over W₁, 1 where the bound is all of it; it depends on the ratio alone."""
        return self.bound / self.w1 if self.w1 else 1.0


PAIRS = tuple(
    Pair(1.0, 0.04, round(1.0 - apart, 3), round(0.04 * wider**2, 4))
    for apart in (0.05, 0.2, 0.5, 0.9)
    for wider in (0.25, 0.5, 1.0, 2.0)
)


def check(pair: Pair, seed: int) -> dict[str, Any]:
    """Compare the bound with W₁ of a sample of each distribution.

    `holds` says whether the samples' W₁ is no less than the distance of the samples' means.
    """
    draws = np.random.default_rng(seed)
    first = draws.normal(pair.m1, math.sqrt(pair.c1), SAMPLES)
    second = draws.normal(pair.m2, math.sqrt(pair.c2), SAMPLES)
    sampled = float(wasserstein_distance(first, second))
    means = abs(float(first.mean() - second.mean()))
    exact = {name: getattr(pair, name) for name in ("bound", "ratio", "tightness", "w1", "w2")}
    return {
        **asdict(pair),
        **exact,
        "w1_sampled": sampled,
        # Of equal spread, the two are equal but for rounding.
        "holds": sampled >= means * (1 - 1e-9),
    }
