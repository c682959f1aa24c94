"""Measures of composites at a photo's own size; uint8 `(H, W, 3)` throughout."""

import numpy as np
from numpy.typing import NDArray

from captionfill.imaging.codec import Pixels
from captionfill.imaging.region import Region

# A border of real pixels that differ by less is flat; a ratio to it would say nothing.
_FLAT = 0.5
_SAME = 1 / 3  # mean squared error below which PSNR does not rise

Values = NDArray[np.float64]


def seam_step(photo: Pixels, region: Region) -> float:
    """Mean absolute difference between neighbours across the border of a region, in levels."""
    rows, columns = region.place
    steps = []
    for values, across, along in ((photo, rows, columns), (photo.swapaxes(0, 1), columns, rows)):
        for border in (across.start, across.stop):
            if 0 < border < len(values):
                pair = values[border - 1 : border + 1, along].astype(float)
                steps.append(np.abs(pair[1] - pair[0]))
    return float(np.concatenate(steps).mean())


def seam_ratio(composite: Pixels, real: Pixels, region: Region) -> float:
    """Seam step of a composite divided by that of the real photo."""
    return seam_step(composite, region) / max(seam_step(real, region), _FLAT)


def fine_detail(photo: Pixels, region: Region) -> tuple[float, float]:
    """Root mean square of brightness above a 3×3 binomial filter, in levels.

    Returns:
        That of the region, and of the rest of the window around it, twice its size. Pixels next to
        the border count for neither.
    """
    fine = _high_pass(photo)
    (top, bottom), (left, right) = ((one.start, one.stop) for one in region.place)
    inside = np.zeros(fine.shape, bool)
    inside[top + 1 : bottom - 1, left + 1 : right - 1] = True
    around = np.zeros(fine.shape, bool)
    down, across = region.height // 2, region.width // 2
    around[max(0, top - down) : bottom + down, max(0, left - across) : right + across] = True
    around[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = False
    return tuple(float(np.sqrt(np.square(fine[part]).mean())) for part in (inside, around))  # type: ignore[return-value]


def _high_pass(photo: Pixels) -> Values:
    brightness = photo.astype(float).mean(-1)
    padded = np.pad(brightness, 1, "edge")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return np.asarray(brightness - (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4)


def region_psnr(composite: Pixels, real: Pixels, region: Region) -> float:
    """PSNR of a region in dB."""
    difference = composite[region.place].astype(float) - real[region.place]
    return float(10 * np.log10(255**2 / max(np.square(difference).mean(), _SAME)))


def worst_tenth(values: Values) -> float:
    """Mean of the tenth of the values that are largest, at least of one."""
    return float(np.sort(values)[-max(1, len(values) // 10) :].mean())
