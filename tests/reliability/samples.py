"""Pictures to send, and what must come back when the stub model fills them."""

import io
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tests.reliability.wire import WrongError

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Sample:
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
            raise WrongError(f"{self.name}: pixels of the answer are wrong")


def draw(name: str, mode: str, size: tuple[int, int], seed: int, **options) -> Sample:
    """A smooth picture with noise on it, encoded, and decoded again for its pixels."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 4), np.uint8), "RGBA")
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
    noisy = np.clip(smooth + rng.integers(-6, 7, smooth.shape), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noisy).convert(mode).save(out, **options)
    with Image.open(io.BytesIO(out.getvalue())) as image:
        return Sample(name, out.getvalue(), np.asarray(image.convert("RGBA")))


def samples() -> list[Sample]:
    """What clients send on good days: every format and mode, small and larger, wide and tall."""
    return [
        draw("RGB", "RGB", (96, 80), 1, format="PNG"),
        draw("RGBA", "RGBA", (90, 120), 2, format="PNG"),
        draw("grey", "L", (64, 64), 3, format="PNG"),
        draw("palette", "P", (100, 70), 4, format="PNG"),
        draw("JPEG", "RGB", (160, 120), 5, format="JPEG", quality=90),
        draw("progressive", "RGB", (120, 160), 6, format="JPEG", progressive=True),
        draw("WebP", "RGB", (128, 96), 7, format="WEBP"),
        draw("lossless", "RGBA", (72, 72), 8, format="WEBP", lossless=True, exact=True),
        draw("thin", "RGB", (400, 64), 9, format="PNG"),
    ]


def mask_for(sample: Sample, box: Box) -> bytes:
    """A mask as image editors make it: transparent is what is to be filled."""
    left, top, width, height = box
    alpha = np.full(sample.pixels.shape[:2], 255, np.uint8)
    alpha[top : top + height, left : left + width] = 0
    mask = Image.new("RGB", sample.size)
    mask.putalpha(Image.fromarray(alpha))
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()
