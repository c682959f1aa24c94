"""Weighs terms by the length of their gradient at the generator's output."""

import torch
from torch import Tensor

from training.common import distributed
from training.losses.objectives.base import Terms

EVERY = 25  # steps between two measurements, each of which costs a backward pass to the output
MEMORY = 0.9  # of the running mean of the lengths


class GradientBalancer:
    """Keeps each term's gradient at a given share of the reference term's.

    After Esser et al. 2021, "Taming transformers" (VQGAN), eq. 7, at the output instead of the last
    layer: otherwise the term with the largest numbers decides, and drowns the others.

    Args:
        reference: the term with weight 1.
        shares: of each other term's gradient, in lengths of the reference's.
        content: terms that can be satisfied. Their share is of the longest gradient they ever had:
            measured by what is left of it, they would push as hard when there is nothing to want.
    """

    def __init__(
        self, reference: str, shares: dict[str, float], content: frozenset[str] = frozenset()
    ) -> None:
        self.reference, self.shares, self.content = reference, shares, content
        self.lengths: dict[str, float] = {}

    def weigh(self, terms: Terms, output: Tensor, step: int) -> Terms:
        """Return the terms, weighed by what was last measured.

        Args:
            terms: each `(N,)`, made of `output`.
            output: the generator's that all terms see, `(N, 3, F, F)`, with its graph.
            step: which decides whether to measure.
        """
        if step % EVERY == 0 or not terms.keys() <= self.lengths.keys():
            self.measure(terms, output)
        whole = self.lengths[self.reference]
        return {
            name: term
            if name == self.reference
            else term * (self.shares[name] * whole / max(self.lengths[name], 1e-12))
            for name, term in terms.items()
        }

    def measure(self, terms: Terms, output: Tensor) -> None:
        """Let the running means follow the gradients of this step."""
        now = {}
        for name, term in terms.items():
            (slope,) = torch.autograd.grad(term.float().mean(), output, retain_graph=True)
            now[name] = float(slope.norm())
        for name, length in distributed.mean(now).items():
            before = self.lengths.get(name, length)
            after = MEMORY * before + (1 - MEMORY) * length
            self.lengths[name] = max(after, before) if name in self.content else after
