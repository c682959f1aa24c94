"""First - second + third, of means of three latents, and of means of three pictures.

The three are groups of pictures by attributes that need no labels: brightness and warmth.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from models.layers.generator_io import from_normal, to_normal

LUMA = (0.299, 0.587, 0.114)  # of R, G and B (ITU-R BT.601)
THREE = 3  # samples a group: single ones are unstable, their means are not
SQUARE = 9  # the result and eight jittered around it
MIDDLE = SQUARE // 2


class Signs(NamedTuple):
    """A group: +1 or -1 for brighter or darker, and for warmer or colder, than the median."""

    bright: int
    warm: int

    @property
    def name(self) -> str:
        """The group in words."""
        return f"{'bright' if self.bright > 0 else 'dark'} {'warm' if self.warm > 0 else 'cold'}"


TERMS = (Signs(1, 1), Signs(-1, 1), Signs(-1, -1))
EXPECTED = Signs(1, -1)  # bright warm - dark warm + dark cold


def attributes(pictures: Tensor) -> Tensor:
    """Measure brightness (mean luma) and warmth (mean red less mean blue), in 8-bit levels.

    Pictures uint8 `(N, 3, H, W)` give float64 `(N, 2)`.
    """
    means = pictures.double().flatten(2).mean(2)
    brightness = means @ means.new_tensor(LUMA)
    return torch.stack([brightness, means[:, 0] - means[:, 2]], dim=1)


def standardise(measured: Tensor, drawn: Tensor) -> Tensor:
    """Return attributes `(N, 2)` in a draw's standard deviations from its median."""
    return (measured - drawn.median(0).values) / drawn.std(0).clamp_min(1e-9)


def strongest(standard: Tensor, signs: Signs, count: int) -> Tensor:
    """Return the `count` rows of `(N, 2)` that belong to a group most clearly.

    A row's rank is that of its weaker attribute.
    """
    return (standard * standard.new_tensor(signs)).amin(1).topk(count).indices


def share_with_signs(standard: Tensor, signs: Signs) -> float:
    """Return the share of rows `(N, 2)` of which both attributes have the group's signs."""
    return float((standard * standard.new_tensor(signs) > 0).all(1).double().mean())


@dataclass(frozen=True)
class Sums:
    """The results of R rounds.

    Attributes:
        groups: uint8 `(R, 3, 3, 3, S, S)`: round, group, sample.
        means: uint8 `(R, 3, 3, S, S)`: made of each group's mean latent.
        results: uint8 `(R, 9, 3, S, S)`: the result fifth, in the middle of its 3×3, which are
            jittered.
        pixels: uint8 `(R, 3, S, S)`: the same sums on pictures, clipped.
    """

    groups: Tensor
    means: Tensor
    results: Tensor
    pixels: Tensor

    @property
    def middles(self) -> Tensor:
        """The results themselves, `(R, 3, S, S)`."""
        return self.results[:, MIDDLE]

    @property
    def jittered(self) -> Tensor:
        """The eight around each, `(8R, 3, S, S)`."""
        around = [i for i in range(SQUARE) if i != MIDDLE]
        return self.results[:, around].flatten(0, 1)


def triples(standard: Tensor, rounds: int) -> Tensor:
    """Choose rows `(R, 3, 3)`, round by group by sample, of a draw's attributes `(N, 2)`."""
    ranked = [strongest(standard, term, THREE * rounds).view(rounds, THREE) for term in TERMS]
    return torch.stack(ranked, dim=1)


def add_up(
    make: Callable[[Tensor], Tensor],
    noise: Tensor,
    pictures: Tensor,
    chosen: Tensor,
    *,
    kind: str,
    around: Tensor,
) -> Sums:
    """Add latents up in the space the network sees, and pictures as they are.

    Args:
        make: noise `(M, D)` -> pictures uint8 `(M, 3, S, S)`.
        noise: `(N, D)`, of the draw.
        pictures: uint8 `(N, 3, S, S)`, made of it.
        chosen: `(R, 3, 3)` rows of the draw.
        kind: of the noise the network was trained with.
        around: `(R, 9, D)`, what is added to each result.
    """

    def combined(means: Tensor) -> Tensor:
        return means[:, 0] - means[:, 1] + means[:, 2]

    def generate_all(latents: Tensor) -> Tensor:
        images = make(to_normal(latents, kind).flatten(0, 1))
        return torch.unflatten(images, 0, latents.shape[:2])

    means = from_normal(noise, kind)[chosen].mean(2)
    results = combined(means)[:, None] + around
    groups = pictures[chosen]
    pixels = combined(groups.float().mean(2)).round().clamp(0, 255).to(torch.uint8)
    return Sums(groups, generate_all(means), generate_all(results), pixels)


def jitter(rounds: int, length: int, most_of_it: float, seed: int) -> Tensor:
    """Draw uniform noise `(R, 9, length)` of so much at most, none in the middle."""
    draws = torch.Generator().manual_seed(seed)
    noise = (2 * torch.rand(rounds, SQUARE, length, generator=draws) - 1) * most_of_it
    noise[:, MIDDLE] = 0
    return noise
