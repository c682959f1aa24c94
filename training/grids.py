"""Picture grids with labelled rows and columns, for evaluations and for a run's samples."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

SCALE = 2  # a 64-pixel picture is hard to see at its own size
GAP = 4
LABEL_WIDTH = 190
LINE = 13
FONT_SIZE = 11
LETTER = 6  # mean width of a letter at that size; a line of wider ones is clipped
BACKGROUND, INK = (255, 255, 255), (30, 30, 30)


def picture_grid(
    columns: Mapping[str, Tensor], labels: Sequence[str] = (), scale: int = SCALE
) -> Image.Image:
    """Lay pictures out: one column a key, one row a picture, a text at each row's left.

    Args:
        columns: heading -> uint8 `(N, 3, H, W)`, the same shape in every column; at least one.
        labels: N texts for the rows, wrapped; none for a grid without row labels.
        scale: whole-number enlargement, each pixel becoming a `scale`×`scale` block.

    Returns:
        The grid as an RGB picture.

    Raises:
        ValueError: the columns or the labels differ in number or size.
    """
    pictures = list(columns.values())
    count, _, height, width = pictures[0].shape
    if any(column.shape != pictures[0].shape for column in pictures):
        raise ValueError("every column of a grid needs pictures of the same number and size")
    if labels and len(labels) != count:
        raise ValueError(f"{len(labels)} row labels for {count} rows")
    left, top = (LABEL_WIDTH if labels else GAP), 2 * LINE + GAP
    across, down = width * scale + GAP, height * scale + GAP
    grid = Image.new("RGB", (left + len(pictures) * across, top + count * down), BACKGROUND)
    for place, (heading, column) in enumerate(columns.items()):
        x = left + place * across
        _write(grid, (x, GAP), heading, width * scale, lines=2)
        for row, picture in enumerate(column):
            grid.paste(to_image(picture, scale), (x, top + row * down))
    for row, label in enumerate(labels):
        lines = max(1, height * scale // LINE)
        _write(grid, (GAP, top + row * down), label, LABEL_WIDTH - 2 * GAP, lines)
    return grid


def save_grid(
    path: Path, columns: Mapping[str, Tensor], labels: Sequence[str] = (), scale: int = SCALE
) -> None:
    """Write `picture_grid` to `path` as PNG; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture_grid(columns, labels, scale).save(path, format="PNG", optimize=True)


def to_image(picture: Tensor, scale: int = 1) -> Image.Image:
    """Turn one picture, uint8 `(3, H, W)`, into an RGB image `scale` times as large."""
    image = Image.fromarray(picture.cpu().permute(1, 2, 0).contiguous().numpy())
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def _write(grid: Image.Image, at: tuple[int, int], text: str, width: int, lines: int) -> None:
    wrap = max(1, width // LETTER)
    kept = textwrap.wrap(text, wrap, max_lines=lines, placeholder=" …"[:wrap])
    font = ImageFont.load_default(FONT_SIZE)
    ImageDraw.Draw(grid).text(at, "\n".join(kept), fill=INK, font=font, spacing=2)
