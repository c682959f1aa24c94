"""Weighs terms by the length of their gradient at the generator's output."""

import torch
from torch import Tensor

from training.common import distributed
from training.losses.objectives.base import Terms

MEASURE_EVERY = (
    25  # steps between two measurements, each of which costs a backward pass to the output
)
DECAY = 0.9  # of the running mean of the gradient_norms


class GradientBalancer:
    """Keeps each term's gradient at a given share of the reference term's.

    After Esser et al. 2021, "Taming transformers" (VQGAN), eq. 7, at the output instead of the last
    layer: otherwise the term with the largest numbers decides, and drowns the others.

    Args:
        reference: the term with weight 1.
        shares: of each other term's gradient, in gradient_norms of the reference's.
        content: terms that can be satisfied. Their share is of the longest gradient they ever had:
            measured by what is left of it, they would push as hard when there is nothing to want.
    """

    def __init__(
        self, reference: str, shares: dict[str, float], content: frozenset[str] = frozenset()
    ) -> None:
        self.reference, self.balancer, self.content = reference, shares, content
        self.gradient_norms: dict[str, float] = {}

    def weigh(self, terms: Terms, output: Tensor, step: int) -> Terms:
        """Return the terms, weighed by what was last measured.

        Args:
            terms: each `(N,)`, made of `output`.
            output: the generator's that all terms see, `(N, 3, F, F)`, with its graph.
            step: which decides whether to measure.
        """
        if step % MEASURE_EVERY == 0 or not terms.keys() <= self.gradient_norms.keys():
            self.measure(terms, output)
        whole = self.gradient_norms[self.reference]
        return {
            name: term
            if name == self.reference
            else term * (self.balancer[name] * whole / max(self.gradient_norms[name], 1e-12))
            for name, term in terms.items()
        }

    def measure(self, terms: Terms, output: Tensor) -> None:
        """Let the running means follow the gradients of this step."""
        now = {}
        for name, term in terms.items():
            (slope,) = torch.autograd.grad(term.float().mean(), output, retain_graph=True)
            now[name] = float(slope.norm())
        for name, length in distributed.mean_over_ranks(now).items():
            before = self.gradient_norms.get(name, length)
            after = DECAY * before + (1 - DECAY) * length
            self.gradient_norms[name] = max(after, before) if name in self.content else after
