"""Checkerboards: the lattice that strided upsampling leaves (Odena et al. 2016)."""

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.monitors.base import STRICT, History, Monitor, Observation

# Two upsampling levels of stride 2 repeat every 2 and every 4 pixels: multiples of a quarter of
# the sampling frequency.
PERIOD = 4
NEIGHBOUR_OFFSET = 3
# Half an 8-bit level: the amplitude of a wave that nobody sees.
INVISIBLE_AMPLITUDE = 1 / 255


@dataclass(frozen=True, config=STRICT)
class Checkerboard(Monitor):
    """Looks for peaks at the lattice's frequencies in the fills' mean power spectrum.

    Attributes:
        peak: trouble where one towers over its neighbourhood by more than this factor, and by
            this factor more than in the real pictures.
    """

    peak: float = Field(default=5.0, gt=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return what is wrong where the spectrum has a lattice."""
        fills, reals = lattice_peak(seen.fills), lattice_peak(seen.reals)
        if fills <= self.peak * max(1.0, reals):
            return None
        return (
            f"checkerboard: the fills' spectrum peaks {fills:.0f} times above its surroundings at "
            f"a period of 2 or 4 pixels (real pictures {reals:.1f})"
        )


def lattice_peak(pictures: Tensor) -> float:
    """Return the highest lattice peak of `(N, C, S, S)`, relative to what is around it.

    Around it: three bins away along the row and along the column, whichever is higher, so that
    neither the ridges of straight edges nor the slope of a blur is a peak. A Hann window keeps the
    picture's own borders out of the spectrum; what is too faint to see counts as nothing.
    """
    size = pictures.shape[-1]
    values = pictures.detach().float().cpu()
    values = values - values.mean(dim=(2, 3), keepdim=True)
    profile = torch.hann_window(size)
    window = profile.outer(profile)
    power = torch.fft.fft2(values * window).abs().square().mean(dim=(0, 1))
    power = power + (INVISIBLE_AMPLITUDE * window.sum()).square()
    around = torch.stack([neighbour_power(power, dim) for dim in (0, 1)]).amax(dim=0)
    relative = (power / around)[:: size // PERIOD, :: size // PERIOD].clone()
    relative[0, 0] = 0  # the mean and slow changes are no lattice
    return float(relative.max())


def neighbour_power(power: Tensor, dim: int) -> Tensor:
    """Return the geometric mean of the two bins `NEIGHBOUR_OFFSET` away along a dimension."""
    return (power.roll(NEIGHBOUR_OFFSET, dims=dim) * power.roll(-NEIGHBOUR_OFFSET, dims=dim)).sqrt()
