"""Attributes of pictures without labels: brightness and warmth."""

from typing import NamedTuple

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # of R, G and B (ITU-R BT.601)


class Signs(NamedTuple):
    """A group: +1 or -1 for brighter or darker, and for warmer or colder, than the median."""

    bright: int
    warm: int

    @property
    def name(self) -> str:
        """The group in words."""
        return f"{'bright' if self.bright > 0 else 'dark'} {'warm' if self.warm > 0 else 'cold'}"


def attributes(pictures: Tensor) -> Tensor:
    """Measure brightness (mean luma) and warmth (mean red less mean blue), in 8-bit levels.

    Args:
        pictures: uint8 `(N, 3, H, W)`.

    Returns:
        float64 `(N, 2)`.
    """
    means = pictures.double().flatten(2).mean(2)
    brightness = means @ means.new_tensor(LUMA)
    return torch.stack([brightness, means[:, 0] - means[:, 2]], dim=1)


class Scale(NamedTuple):
    """Where the median of a draw lies, and how wide it is.

    Attributes:
        median: `(2,)`, in levels.
        deviation: `(2,)`, in levels.
    """

    median: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, measured: Tensor) -> "Scale":
        """Take the scale of a draw's attributes `(N, 2)`."""
        return cls(measured.median(0).values, measured.std(0).clamp_min(1e-9))

    def standard(self, measured: Tensor) -> Tensor:
        """Return attributes `(N, 2)` in standard deviations from the median."""
        return (measured - self.median) / self.deviation


def strongest(standard: Tensor, signs: Signs, count: int) -> Tensor:
    """Return the rows that belong to a group most clearly.

    Args:
        standard: `(N, 2)`, of `Scale.standard`.
        signs: of the group.
        count: how many; a row's rank is that of its weaker attribute.
    """
    return (standard * standard.new_tensor(signs)).amin(1).topk(count).indices


def has_signs(standard: Tensor, signs: Signs) -> Tensor:
    """Say of each row whether both of its attributes have the group's signs, bool `(N,)`."""
    return (standard * standard.new_tensor(signs) > 0).all(1)
