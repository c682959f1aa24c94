"""Monitors of the fills: mode collapse, low contrast, saturation and checkerboard artefacts."""

import math

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.functional import avg_pool2d

from training.monitors.base import STRICT, History, Monitor, Observation

# Two upsampling levels of stride 2 repeat every 2 and every 4 pixels: multiples of a quarter of
# the sampling frequency.
PERIOD = 4
NEIGHBOUR_OFFSET = 3
# Half an 8-bit level: the amplitude of a wave that is invisible.
INVISIBLE_AMPLITUDE = 1 / 255


@dataclass(frozen=True, config=STRICT)
class Collapse(Monitor):
    """Compares the distance of each fill to its nearest neighbour with that of real images.

    The nearest and not all pairs: fills of a few modes are far from each other on average, but each
    has a near copy.

    Attributes:
        ratio: smallest fraction of the real distance that is no problem.
    """

    act_after: int = Field(default=5000, ge=0)
    ratio: float = Field(default=0.2, gt=0, lt=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return a message if most fills have a near copy."""
        ratio = nearest_distance(seen.fills) / max(nearest_distance(seen.reals), 1e-6)
        if ratio >= self.ratio:
            return None
        return (
            f"mode collapse: a fill is {ratio:.3f} times as far from the nearest other fill as a "
            f"real picture is from the nearest other ({self.ratio} is the least)"
        )


def nearest_distance(pictures: Tensor) -> float:
    """Return the median RMS distance of each of `(N, C, H, W)` to its nearest neighbour."""
    flat = pictures.flatten(1).double()
    distance = torch.cdist(flat, flat).fill_diagonal_(float("inf"))
    nearest = distance.min(dim=1).values.median()
    return float(nearest) / math.sqrt(flat.shape[1])


@dataclass(frozen=True, config=STRICT)
class LowContrast(Monitor):
    """Compares the contrast of fills with that of real centres; a squared error favours flat ones.

    Attributes:
        ratio: smallest fraction of the real standard deviation that is no problem.
    """

    act_after: int = Field(default=4000, ge=0)
    ratio: float = Field(default=0.2, gt=0, lt=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return a message if fills are nearly flat."""
        ratio = pixel_std(seen.fills) / max(pixel_std(seen.reals), 1e-6)
        if ratio >= self.ratio:
            return None
        return (
            f"grey fills: their standard deviation is {ratio:.2f} of the real centres' "
            f"({self.ratio} is the least)"
        )


def pixel_std(pictures: Tensor) -> float:
    """Return the standard deviation over the pixels, averaged over images and channels."""
    return float(pictures.float().flatten(2).std(dim=2).mean())


@dataclass(frozen=True, config=STRICT)
class Saturation(Monitor):
    """Compares the saturated fraction of the fills with that of the real images.

    Patches are counted and not pixels: scattered extremes are texture. A white sky is saturated as
    well, so the real images are the reference.

    Attributes:
        excess: largest difference of the two fractions that is no problem.
        level: a value at least this far from 0 is saturated.
        patch: side of the smallest patch, in pixels; odd.
    """

    act_after: int = Field(default=2000, ge=0)
    excess: float = Field(default=0.1, gt=0, lt=1)
    level: float = Field(default=0.98, gt=0, le=1)
    patch: int = Field(default=5, ge=1)

    def check(self, seen: Observation, past: History) -> str | None:
        """Return a message if patches cover much more than in real images."""
        fills = blob_share(seen.fills, self.level, self.patch)
        reals = blob_share(seen.reals, self.level, self.patch)
        if fills - reals <= self.excess:
            return None
        return f"saturated blobs: {fills:.0%} of the fills' values, {reals:.0%} of the real ones'"


def blob_share(pictures: Tensor, level: float, patch: int) -> float:
    """Return the fraction of `patch`×`patch` windows, per channel, that are all saturated."""
    saturated = (pictures.float().abs() >= level).float()
    return float((avg_pool2d(saturated, patch, stride=1) > 1 - 1e-4).float().mean())


@dataclass(frozen=True, config=STRICT)
class Checkerboard(Monitor):
    """Finds artefacts of strided upsampling (Odena et al. 2016) in the fills' mean power spectrum.

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
