"""Losses of several fills of a hole: of their mean, their diversity, and the fill at zero noise."""

from types import EllipsisType

import torch
from torch import Tensor
from torch.nn.functional import pad

from training.losses.objectives.terms import hole_mean

NUM_SAMPLES = 2
# Bendel et al. 2023, eq. 12 and 13, for two samples: the weight at which independent Gaussian
# samples have the posterior's standard deviation, times the factor that makes |x1 - x2| an
# estimate of it.
DIVERSITY_WEIGHT = (2 / (torch.pi * NUM_SAMPLES * (NUM_SAMPLES + 1))) ** 0.5 * (torch.pi / 4) ** 0.5


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
