"""Small holes in plain surroundings: the fill varies no more than they do."""

import numpy as np

from captionfill.imaging.grid import EDGE, HOLE, SIZE, Values
from captionfill.imaging.masks import Mask
from captionfill.imaging.native.membrane import solve_membrane

# Width in cells of the frame around the hole that says how plain its surroundings are.
_FRAME = 3
# Levels. In photos the frame of a hole of half the side varies by 18 or more , that
# of a hole in the sky or on a wall by less than 8.
_PLAIN = 8.0
# Sides of a hole as parts of the photo's shorter side: fully limited below, not limited above.
_SMALL, _LARGE = 1 / 6, 1 / 3


def limit_variation(cells: Values, share: float) -> Values:
    """Reduce the variation of a fill in plain surroundings to half of theirs.

    A generator that knows photos with something in the middle draws something there, where a
    small hole in a sky or on a wall most often hides more of the same.

    Args:
        cells: a window with its fill, float32 `(64, 64, 3)`, 8-bit levels.
        share: side of the hole as part of the photo's shorter side. Above 1/3 nothing changes.

    Returns:
        A new window; its fill is moved towards the membrane through the window's visible part.
    """
    strength = min(1.0, max(0.0, (_LARGE - share) / (_LARGE - _SMALL)))
    if strength == 0:
        return cells
    hole = _square(EDGE, HOLE)
    smooth = solve_membrane(cells, hole)
    around = _variation(cells, _square(EDGE - _FRAME, HOLE + 2 * _FRAME) & ~hole)
    allowed = around / 2 * max(1.0, (around / _PLAIN) ** 2)
    varies = float(np.sqrt(np.square(cells - smooth)[hole].mean()))
    kept = 1 - strength * (1 - min(1.0, allowed / max(varies, 1e-6)))
    return np.asarray(smooth + np.float32(kept) * (cells - smooth))


def _square(first: int, side: int) -> Mask:
    chosen = np.zeros((SIZE, SIZE), bool)
    chosen[first : first + side, first : first + side] = True
    return chosen


def _variation(cells: Values, where: Mask) -> float:
    """Return the standard deviation in levels from the best plane through each channel."""
    rows, columns = np.nonzero(where)
    plane = np.stack([np.ones(len(rows)), rows, columns], -1)
    colours = cells[where].astype(float)
    residual = colours - plane @ np.linalg.lstsq(plane, colours, rcond=None)[0]
    return float(np.sqrt(np.square(residual).mean()))
