"""The flagship's own terms: several fills of a hole, and the balance of gradients between terms."""

from types import EllipsisType

import torch
from torch import Tensor
from torch.nn.functional import pad

from training.common import distributed
from training.losses.objectives.base import Terms, hole_mean

NUM_SAMPLES = 2
# Bendel et al. 2023, eq. 12 and 13, for two samples: the weight at which independent Gaussian
# samples have the posterior's standard deviation, times the factor that makes |x1 - x2| an
# estimate of it.
DIVERSITY_WEIGHT = (2 / (torch.pi * NUM_SAMPLES * (NUM_SAMPLES + 1))) ** 0.5 * (torch.pi / 4) ** 0.5
MEASURE_EVERY = 25  # steps; each measurement costs a backward pass to the output
DECAY = 0.9  # of the running mean of the norms
KEY = "gradient/"


def posterior_loss(
    images: Tensor, mask: Tensor, samples: tuple[Tensor, ...], diversity: float
) -> Tensor:
    """L1 of the samples' mean over hole and margin, minus a reward for their diversity, `(N,)`.

    Holes with one sample have loss 0, and the others are weighted up: the mean over the batch has
    the same expectation.

    Bendel, Ahmad & Schniter 2023, "A regularized conditional GAN for posterior sampling in image
    recovery problems", eq. 9 and 13.

    Args:
        images: the real images, `(N, 3, S, S)`.
        mask: `(N, 1, S, S)`, 1 in the hole.
        samples: fills with their margin, `(N, 3, F, F)`, then of the first M holes.
        diversity: weight of the reward; 1 for the posterior's own standard deviation.
    """
    covered = crop_index(images, samples[-1])
    rows = len(samples[-1])
    mean = torch.stack([sample[:rows] for sample in samples]).mean(0)
    error = (mean - images[covered]).abs().flatten(1).mean(1)
    if len(samples) > 1:  # without an adversary, samples would differ in hue alone
        difference = hole_mean((samples[0][:rows] - samples[1]).abs(), mask[covered])
        error = error - diversity * DIVERSITY_WEIGHT * difference
    return rescale_to_batch(error, len(images))


def zero_noise_loss(images: Tensor, fills: Tensor) -> Tensor:
    """Squared error of fills at zero noise over hole and margin, `(N,)`; 0 for holes without one.

    Its minimum is the mean of all centres that fit the surroundings and the caption.

    Args:
        images: the real images, `(N, 3, S, S)`.
        fills: of the first M holes with their margin, `(M, 3, F, F)`.
    """
    error = (fills - images[crop_index(images, fills)]).square().flatten(1).mean(1)
    return rescale_to_batch(error, len(images))


def crop_index(images: Tensor, fills: Tensor) -> tuple[slice, EllipsisType, slice, slice]:
    """Return the index of the part of images `(N, 3, S, S)` that fills `(M, 3, F, F)` cover."""
    edge = (images.shape[-1] - fills.shape[-1]) // 2
    return slice(len(fills)), ..., slice(edge, -edge), slice(edge, -edge)


def rescale_to_batch(term: Tensor, count: int) -> Tensor:
    """Pad a term of the first M of `count` images, `(M,)`, to all of them with the same mean."""
    return pad(term, (0, count - len(term))) * (count / len(term))


class GradientBalancer:
    """Weights terms so that their gradient norms at the generator's output have given ratios.

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
        self.reference, self.relative_weights = reference, relative_weights
        self.monotone_terms = monotone_terms
        self.norms: dict[str, float] = {}

    def weight(self, terms: Terms, output: Tensor, step: int) -> Terms:
        """Return the terms, each `(N,)`, weighted by the running means of their gradient norms.

        Args:
            terms: functions of `output`.
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
