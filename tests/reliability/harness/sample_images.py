"""Sample images to send, and the expected result of the stub model."""

import io
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tests.helpers.images import encode_image
from tests.reliability.harness.raw_http import WrongResponseError

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class SampleImage:
    """A picture as a file, and its pixels as RGBA `(H, W, 4)`, decoded before it was sent."""

    name: str
    data: bytes
    pixels: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]

    def region(self, rng: random.Random) -> Box:
        """A region that the service takes, anywhere in the picture."""
        longest = min(self.size) * 3 // 4
        width, height = rng.randint(4, longest), rng.randint(4, longest)
        return (
            rng.randint(0, self.size[0] - width),
            rng.randint(0, self.size[1] - height),
            width,
            height,
        )

    def centre(self) -> Box:
        """The region that is filled where none is named."""
        side = min(self.size) // 2
        return (self.size[0] - side) // 2, (self.size[1] - side) // 2, side, side

    def check(self, png: bytes, box: Box, level: int) -> None:
        """See that the region has the stub model's level, and every other pixel is as it was.

        Raises:
            WrongError: a pixel is not.
        """
        left, top, width, height = box
        expected = self.pixels.copy()
        expected[top : top + height, left : left + width] = (level, level, level, 255)
        with Image.open(io.BytesIO(png), formats=("PNG",)) as answer:
            found = np.asarray(answer.convert("RGBA"))
        if found.shape != expected.shape or not np.array_equal(found, expected):
            raise WrongResponseError(f"{self.name}: pixels of the answer are wrong")


def draw_sample(name: str, mode: str, size: tuple[int, int], seed: int, **options) -> SampleImage:
    """A smooth picture with noise on it, encoded, and decoded again for its pixels."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 4), np.uint8), "RGBA")
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
    noisy = np.clip(smooth + rng.integers(-6, 7, smooth.shape), 0, 255).astype(np.uint8)
    data = encode_image(Image.fromarray(noisy).convert(mode), **options)
    with Image.open(io.BytesIO(data)) as image:
        return SampleImage(name, data, np.asarray(image.convert("RGBA")))


def sample_images() -> list[SampleImage]:
    """What clients send on good days: every format and mode, small and larger, wide and tall."""
    return [
        draw_sample("RGB", "RGB", (96, 80), 1, format="PNG"),
        draw_sample("RGBA", "RGBA", (90, 120), 2, format="PNG"),
        draw_sample("grey", "L", (64, 64), 3, format="PNG"),
        draw_sample("palette", "P", (100, 70), 4, format="PNG"),
        draw_sample("JPEG", "RGB", (160, 120), 5, format="JPEG", quality=90),
        draw_sample("progressive", "RGB", (120, 160), 6, format="JPEG", progressive=True),
        draw_sample("WebP", "RGB", (128, 96), 7, format="WEBP"),
        draw_sample("lossless", "RGBA", (72, 72), 8, format="WEBP", lossless=True, exact=True),
        draw_sample("thin", "RGB", (400, 64), 9, format="PNG"),
    ]


def mask_for(sample: SampleImage, box: Box) -> bytes:
    """A mask as image editors make it: transparent is what is to be filled."""
    left, top, width, height = box
    alpha = np.full(sample.pixels.shape[:2], 255, np.uint8)
    alpha[top : top + height, left : left + width] = 0
    mask = Image.new("RGB", sample.size)
    mask.putalpha(Image.fromarray(alpha))
    return encode_image(mask)
