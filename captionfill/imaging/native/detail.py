"""Fine detail for a scaled fill, copied from the visible surroundings.

Contextual residual aggregation (Yi et al. 2020, "Contextual Residual Aggregation for Ultra
High-Resolution Image Inpainting"), with a search in the place of the learned attention: for each
patch of the fill the most similar patch of the surroundings is found at low resolution, and what
the photo has there beyond that resolution is added to the fill.
"""

from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from captionfill.imaging.codec import Pixels
from captionfill.imaging.grid import EDGE, HOLE, SIZE, Box, Grid, Values

# Side of the grid that keeps the fill's own colours: its cells are two of the window's. What the
# networks draw below that size looks like noise beside a photo.
_KEPT = 32
# Of the copied detail. At 1 a fill is as rough as its surroundings and further from the original.
_GAIN = np.float32(0.8)
# Sides of patches in cells of the window; smaller ones where little of the photo is visible.
_PATCHES = (8, 6, 4)
_MIN_SOURCES = 32

Places = NDArray[np.intp]


def add_detail(grid: Grid, photo: Pixels, box: Box) -> Values:
    """Scale the fill in a window to the photo, with the detail of the window's visible part.

    Args:
        grid: the window with its fill, `(64, 64)` cells.
        photo: uint8 `(H, W, 3)`; its pixels in the window's hole are not read.
        box: to fill, in the window's hole.

    Returns:
        float32 `(height, width, 3)` of the box, 8-bit levels. Without detail if too little of the
        window lies in the photo.
    """
    kept = grid.resample(_KEPT)
    keys = kept.resample(SIZE)
    seen = grid.visible(*photo.shape[:2])
    for side in _PATCHES:
        sources = np.argwhere(sliding_window_view(seen, (side, side)).all((2, 3)))
        if len(sources) >= _MIN_SOURCES:
            targets = _cover_hole(side)
            pairs = zip(targets, _match(_features(keys.cells), targets, sources, side), strict=True)
            boxes = [(keys.box(one, side), keys.box(two, side)) for one, two in pairs]
            return kept.upscale(box) + _GAIN * _aggregate(kept, photo, box, boxes)
    return grid.upscale(box)


def _cover_hole(side: int) -> Places:
    """Return the first cells of patches that overlap by half, and reach over the hole's edge."""
    first, last = EDGE - side // 4, EDGE + HOLE - side + side // 4
    count = -(-2 * (last - first) // side) + 1
    starts = [first + (last - first) * i // (count - 1) for i in range(count)]
    return np.array(list(product(starts, starts)))


def _features(cells: Values) -> Values:
    """Return colour and gradient of brightness, whole numbers in [-127, 127], `(N, N, 5)`.

    Dot products of such numbers are exact in float32, whatever the order of the additions, so
    that the search finds the same patches on every machine.
    """
    brightness = cells.mean(-1)
    gradients = [np.gradient(brightness, axis=axis) for axis in (0, 1)]
    features = np.dstack([cells / 2, *gradients])
    return np.asarray(np.clip(np.rint(features), -127, 127), np.float32)


def _match(features: Values, targets: Places, sources: Places, side: int) -> Places:
    """Return for each target the source with the least squared difference of features."""
    patches = sliding_window_view(features, (side, side), (0, 1))
    wanted, offered = (
        patches[tuple(places.T)].reshape(len(places), -1) for places in (targets, sources)
    )
    # Without the target's own norm, which does not change the order.
    distances = (offered**2).sum(1) - 2 * (wanted @ offered.T)
    return np.asarray(sources[distances.argmin(1)])


def _aggregate(grid: Grid, photo: Pixels, box: Box, pairs: list[tuple[Box, Box]]) -> Values:
    """Blend the sources' residuals into the targets, float32 of the box.

    The sum is divided by the root of the squared weights: the mean of unrelated textures would
    have less contrast than each of them (Heitz and Neyret 2018).
    """
    total = np.zeros((*photo[box.place].shape[:2], 3), np.float32)
    power = np.full((*total.shape[:2], 1), 1e-6, np.float32)
    for target, source in pairs:
        weight = _taper(target.bottom - target.top)
        within, part = _overlap(target, box)
        residual = photo[source.place] - grid.upscale(source)
        total[within] += (weight * residual)[part]
        power[within] += (weight**2)[part]
    return np.asarray(total / np.sqrt(power))


def _taper(side: int) -> Values:
    """Return weights `(side, side, 1)` that fall linearly from the middle to the edges."""
    ramp = 1 - np.abs(2 * (np.arange(side, dtype=np.float32) + np.float32(0.5)) / side - 1)
    return np.asarray(ramp[:, None, None] * ramp[None, :, None])


def _overlap(one: Box, box: Box) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the common pixels of two boxes, as places in the second and in the first."""
    top, left = max(one.top, box.top), max(one.left, box.left)
    common = Box(top, left, max(top, min(one.bottom, box.bottom)),
                 max(left, min(one.right, box.right)))  # fmt: skip
    return tuple(  # type: ignore[return-value]
        Box(common.top - at.top, common.left - at.left,
            common.bottom - at.top, common.right - at.left).place
        for at in (box, one)
    )  # fmt: skip
