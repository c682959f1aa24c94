"""An example image for a first request."""

from pathlib import Path

import numpy as np
from PIL import Image

_CAPTION = "a red sun sets over the sea"


def write_example(folder: Path) -> tuple[Path, str]:
    """Write the example image to a folder.

    Returns:
        Its path, and a caption for it.
    """
    path = folder / "example.png"
    draw_sunset().save(path)
    return path, _CAPTION


def draw_sunset(side: int = 256) -> Image.Image:
    """Draw a red sun over the sea, ``side`` pixels square. It is free of other rights."""
    y, x = np.mgrid[0:side, 0:side] / side
    glow = np.exp(-6 * ((x - 0.5) ** 2 + (y - 0.55) ** 2))[..., None]
    sky = np.array([60, 70, 120]) + glow * np.array([190, 90, 0])
    waves = 0.75 + 0.2 * np.sin(90 * np.sqrt(np.maximum(y - 0.6, 0)) + 3 * np.sin(9 * x))
    sea = (np.array([40, 50, 90]) + glow * np.array([150, 70, 10])) * waves[..., None]
    pixels = np.where(y[..., None] < 0.6, sky, sea)
    sun = ((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.02) & (y < 0.6)
    pixels[sun] = [250, 120, 60]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
