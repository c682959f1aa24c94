"""Parts of the figures of experiments: panels, and strips of pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from torch import Tensor
from torchvision.utils import make_grid

SHOWN = 12  # pictures of a strip


def style_axes(axes: Axes, title: str, x_label: str, y_label: str = "") -> None:
    """Set title and labels of a panel, and remove its upper and right frame."""
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def image_strip(pictures: Tensor) -> np.ndarray:
    """Lay pictures, uint8 `(N, 3, S, S)`, side by side: uint8 `(H, W, 3)`."""
    row = make_grid(pictures[:SHOWN], nrow=SHOWN, padding=2, pad_value=255)
    tiles: np.ndarray = row.permute(1, 2, 0).numpy()
    return tiles


def draw_strips(figure: Figure | SubFigure, rows: Mapping[str, Tensor]) -> None:
    """Draw a strip of pictures in each row, with its name above it."""
    for axes, (name, pictures) in zip(
        np.atleast_1d(figure.subplots(len(rows), 1)), rows.items(), strict=True
    ):
        axes.imshow(image_strip(pictures), interpolation="nearest")
        axes.set_title(name, fontsize=9, loc="left", pad=3)
        axes.set_axis_off()


def panels_over_strips(
    rows: Mapping[str, Tensor], panels: int, panel_width: float = 3.6, panel_height: float = 3.2
) -> tuple[Figure, Any]:
    """Make a figure with panels side by side, sizes in inches, and a strip for each of the rows.

    The strips lie under the panels, whose axes are returned as an array.
    """
    width, below = panel_width * panels, len(rows) * (panel_width * panels / SHOWN + 0.3)
    figure = Figure(figsize=(width, panel_height + below), layout="constrained")
    top, bottom = np.asarray(figure.subfigures(2, 1, height_ratios=[panel_height, below]))
    draw_strips(bottom, rows)
    return figure, np.atleast_1d(top.subplots(1, panels))
