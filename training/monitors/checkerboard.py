"""Monitor `checkerboard`: artefacts of strided upsampling (Odena et al. 2016)."""

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from training.monitors.base import STRICT, History, Monitor, Observation

# Two upsampling levels of stride 2 repeat every 2 and every 4 pixels: multiples of a quarter of
# the sampling frequency.
PERIOD = 4
NEIGHBOUR_OFFSET = 3
# Half an 8-bit level: the amplitude of a wave that is invisible.
INVISIBLE_AMPLITUDE = 1 / 255


@dataclass(frozen=True, config=STRICT)
class Checkerboard(Monitor):
    """Finds peaks at the lattice's frequencies in the mean power spectrum of the fills.

    Attributes:
        peak: largest ratio of a peak to its neighbourhood, and to the same ratio of the real
            images, that is no problem.
    """

    peak: float = Field(default=5.0, gt=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return a message if the spectrum has a lattice."""
        fills, reals = lattice_peak(seen.fills), lattice_peak(seen.reals)
        if fills <= self.peak * max(1.0, reals):
            return None
        return (
            f"checkerboard: the fills' spectrum peaks {fills:.0f} times above its surroundings at "
            f"a period of 2 or 4 pixels (real pictures {reals:.1f})"
        )


def lattice_peak(pictures: Tensor) -> float:
    """Return the highest lattice peak of `(N, C, S, S)`, relative to what is around it.

    The neighbourhood is three bins away along the row or the column, whichever is higher, so that
    neither ridges of straight edges nor the slope of a blur count as peaks. A Hann window removes
    the effect of the image's borders; invisible amplitudes are ignored.
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
