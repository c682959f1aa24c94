"""Pieces of the experiments' drawings."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from torch import Tensor
from torchvision.utils import make_grid

SHOWN = 12  # pictures of a strip


def tidy(axes: Axes, title: str, across: str, up: str = "") -> None:
    """Give a panel its title and labels, and take what the eye does not need."""
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(across, fontsize=9)
    axes.set_ylabel(up, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def strip(pictures: Tensor) -> np.ndarray:
    """Lay pictures, uint8 `(N, 3, S, S)`, side by side: uint8 `(H, W, 3)`."""
    row = make_grid(pictures[:SHOWN], nrow=SHOWN, padding=2, pad_value=255)
    tiles: np.ndarray = row.permute(1, 2, 0).numpy()
    return tiles


def strips(figure: Figure | SubFigure, rows: Mapping[str, Tensor]) -> None:
    """Show a strip of pictures a row, its name above it."""
    for axes, (name, pictures) in zip(
        np.atleast_1d(figure.subplots(len(rows), 1)), rows.items(), strict=True
    ):
        axes.imshow(strip(pictures), interpolation="nearest")
        axes.set_title(name, fontsize=9, loc="left", pad=3)
        axes.set_axis_off()


def over_strips(
    rows: Mapping[str, Tensor], panels: int, wide: float = 3.6, high: float = 3.2
) -> tuple[Figure, Any]:
    """Make a figure of so many panels side by side, with strips of pictures under them.

    Args:
        rows: pictures by what to call them.
        panels: how many.
        wide: a panel, in inches.
        high: a panel, in inches.

    Returns:
        The figure and its panels' axes, an array.
    """
    width, below = wide * panels, len(rows) * (wide * panels / SHOWN + 0.3)
    figure = Figure(figsize=(width, high + below), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[high, below])
    strips(bottom, rows)
    return figure, np.atleast_1d(top.subplots(1, panels))
