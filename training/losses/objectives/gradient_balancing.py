"""Weighting of loss terms by the norm of their gradient at the generator's output."""

import torch
from torch import Tensor

from training.common import distributed
from training.losses.objectives.base import Terms

MEASURE_EVERY = 25  # steps; each measurement costs a backward pass to the output
DECAY = 0.9  # of the running mean of the norms
KEY = "gradient/"


class GradientBalancer:
    """Keep the gradient norm of each term at a given ratio to that of a reference term.

    After Esser et al. 2021, "Taming transformers" (VQGAN), eq. 7, but at the output instead of the
    last layer. Without it the term with the largest values dominates the others.

    Args:
        reference: the term with weight 1.
        relative_weights: gradient norm of each other term, in units of the reference's.
        monotone_terms: terms that can reach 0. Their weight is relative to the largest norm they
            ever had; relative to the current norm they would never get weaker.
    """

    def __init__(
        self,
        reference: str,
        relative_weights: dict[str, float],
        monotone_terms: frozenset[str] = frozenset(),
    ) -> None:
        self.reference = reference
        self.relative_weights = relative_weights
        self.monotone_terms = monotone_terms
        self.norms: dict[str, float] = {}

    def weight(self, terms: Terms, output: Tensor, step: int) -> Terms:
        """Return the terms, weighted by the running means of their gradient norms.

        Args:
            terms: each `(N,)`, functions of `output`.
            output: the generator's, `(N, 3, F, F)`, with its graph.
            step: norms are measured every `MEASURE_EVERY` steps.
        """
        if step % MEASURE_EVERY == 0 or not terms.keys() <= self.norms.keys():
            self.measure(terms, output)
        reference = self.norms[self.reference]
        return {
            name: term
            if name == self.reference
            else term * (self.relative_weights[name] * reference / max(self.norms[name], 1e-12))
            for name, term in terms.items()
        }

    def measure(self, terms: Terms, output: Tensor) -> None:
        """Update the running means with the gradient norms of this step."""
        now = {}
        for name, term in terms.items():
            (gradient,) = torch.autograd.grad(term.float().mean(), output, retain_graph=True)
            now[name] = float(gradient.norm())
        for name, norm in distributed.mean_over_ranks(now).items():
            before = self.norms.get(name, norm)
            after = DECAY * before + (1 - DECAY) * norm
            self.norms[name] = max(after, before) if name in self.monotone_terms else after

    def state_dict(self) -> dict[str, float]:
        """Return the running means as `gradient/…`."""
        return {f"{KEY}{name}": norm for name, norm in self.norms.items()}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restore the running means."""
        self.norms = {k.removeprefix(KEY): v for k, v in state.items() if k.startswith(KEY)}
