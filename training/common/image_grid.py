"""Image grids with labelled rows and columns, for evaluations and for a run's samples."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from captionfill.output_files import write_atomically

SCALE = 2  # a 64-pixel picture is hard to see at its own size
GAP = 4
LABEL_WIDTH = 190
LINE = 13
FONT_SIZE = 11
LETTER = 6  # mean width of a letter at that size; a line of wider ones is clipped
BACKGROUND, INK = (255, 255, 255), (30, 30, 30)


def picture_grid(
    columns: Mapping[str, Tensor],
    labels: Sequence[str] = (),
    scale: int = SCALE,
    ends: Sequence[str] = (),
) -> Image.Image:
    """Make an RGB grid: a column for each heading, a row for each picture.

    Args:
        columns: uint8 `(N, 3, H, W)` by heading; at least one.
        labels: N texts for the left of the rows, wrapped, or none.
        scale: enlargement of a pixel to a `scale`×`scale` block.
        ends: N texts for the right of the rows, wrapped, or none.

    Raises:
        ValueError: the columns or the labels differ in number or size.
    """
    pictures = list(columns.values())
    count, _, height, width = pictures[0].shape
    if any(column.shape != pictures[0].shape for column in pictures):
        raise ValueError("every column of a grid needs pictures of the same number and size")
    for texts in (labels, ends):
        if texts and len(texts) != count:
            raise ValueError(f"{len(texts)} row labels for {count} rows")
    left, top = (LABEL_WIDTH if labels else GAP), 2 * LINE + GAP
    across, down = width * scale + GAP, height * scale + GAP
    right = left + len(pictures) * across
    size = (right + (LABEL_WIDTH if ends else 0), top + count * down)
    grid = Image.new("RGB", size, BACKGROUND)
    for place, (heading, column) in enumerate(columns.items()):
        x = left + place * across
        _write(grid, (x, GAP), heading, width * scale, lines=2)
        for row, picture in enumerate(column):
            grid.paste(to_image(picture, scale), (x, top + row * down))
    lines = max(1, height * scale // LINE)
    for x, texts in ((GAP, labels), (right + GAP, ends)):
        for row, text in enumerate(texts):
            _write(grid, (x, top + row * down), text, LABEL_WIDTH - 2 * GAP, lines)
    return grid


def stack_grids(grids: Sequence[Image.Image]) -> Image.Image:
    """Put grids one below the other, aligned on the left."""
    size = (max(grid.width for grid in grids), sum(grid.height for grid in grids))
    sheet = Image.new("RGB", size, BACKGROUND)
    y = 0
    for grid in grids:
        sheet.paste(grid, (0, y))
        y += grid.height
    return sheet


def save_grid(
    path: Path, columns: Mapping[str, Tensor], labels: Sequence[str] = (), scale: int = SCALE
) -> None:
    """Write `picture_grid` to `path` as PNG; the folder is made where it is missing."""
    write_atomically(path, to_png(picture_grid(columns, labels, scale)))


def to_png(picture: Image.Image) -> bytes:
    """Return a picture as a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def to_image(picture: Tensor, scale: int = 1) -> Image.Image:
    """Turn one picture, uint8 `(3, H, W)`, into an RGB image `scale` times as large."""
    image = Image.fromarray(picture.cpu().permute(1, 2, 0).contiguous().numpy())
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def _write(grid: Image.Image, at: tuple[int, int], text: str, width: int, lines: int) -> None:
    wrap = max(1, width // LETTER)
    kept = textwrap.wrap(text, wrap, max_lines=lines, placeholder=" …"[:wrap])
    font = ImageFont.load_default(FONT_SIZE)
    ImageDraw.Draw(grid).text(at, "\n".join(kept), fill=INK, font=font, spacing=2)
