"""Made-up images, and their encoding."""

import io
from typing import Any

import numpy as np
from PIL import Image


def noise_pixels(
    height: int, width: int, bands: int = 3, *, high: int = 256, seed: int = 0
) -> np.ndarray:
    """Return seeded uniform noise below `high`, as uint8 (height, width[, bands])."""
    shape = (height, width) if bands == 1 else (height, width, bands)
    return np.random.default_rng(seed).integers(0, high, shape, np.uint8)


def noise_image(width: int = 64, height: int = 64, mode: str = "RGB", seed: int = 0) -> Image.Image:
    return Image.fromarray(noise_pixels(height, width, Image.getmodebands(mode), seed=seed), mode)


def smooth_image(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return 5×4 random cells, enlarged: lossy compression hardly changes such an image."""
    cells = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)


def encode_image(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def decode_image(data: bytes) -> np.ndarray:
    """Return the pixels of an encoded image, in its own mode."""
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image)
