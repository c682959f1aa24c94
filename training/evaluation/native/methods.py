"""What fills a photo at its own size: a bundle with and without detail, and classical methods."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import torch

from captionfill.imaging.canvas import Canvas, Detail
from captionfill.imaging.codec import Pixels
from captionfill.inpainter import Inpainter
from captionfill.windows import WindowRequest
from training.evaluation.methods import BIHARMONIC, NAVIER_STOKES, RADIUS, TELEA, biharmonic
from training.evaluation.native.photos import NativePhoto

INTERPOLATED, SURROUNDINGS = "bundle, detail=none", "bundle, detail=surroundings"
REAL = "real photos"

NativeMethod = Callable[[Canvas, Pixels], Pixels]
"""A canvas and the bundle's fill, uint8 `(32, 32, 3)`, to the filled photo, uint8 `(H, W, 3)`."""


def composite(detail: Detail, canvas: Canvas, fill: Pixels) -> Pixels:
    """Composite the bundle's fill."""
    return replace(canvas, detail=detail).composite(fill).rgb


def opencv(method: int, canvas: Canvas, _: Pixels) -> Pixels:
    """Fill by one of OpenCV's methods, radius 3."""
    rgb = canvas.picture.rgb
    hole = np.zeros(rgb.shape[:2], np.uint8)
    hole[canvas.region.place] = 1
    return np.asarray(
        cv2.inpaint(np.where(hole[..., None], np.uint8(0), rgb), hole, RADIUS, method)
    )


def biharmonic_window(canvas: Canvas, _: Pixels) -> Pixels:
    """Fill the 64×64 window by the biharmonic equation, and interpolate.

    At full size it takes minutes for a photo.
    minutes for a photo.
    """
    window = torch.from_numpy(canvas.window.copy()).permute(2, 0, 1)
    return composite("none", canvas, biharmonic(window).permute(1, 2, 0).numpy())


METHODS: dict[str, NativeMethod] = {
    INTERPOLATED: partial(composite, "none"),
    SURROUNDINGS: partial(composite, "surroundings"),
    TELEA: partial(opencv, cv2.INPAINT_TELEA),
    NAVIER_STOKES: partial(opencv, cv2.INPAINT_NS),
    f"{BIHARMONIC}, at 64×64": biharmonic_window,
}


def draw_fills(inpainter: Inpainter, photos: list[NativePhoto], seed: int) -> list[Pixels]:
    """Fill each photo's window by its caption and the seed of its place, uint8 `(32, 32, 3)`."""
    requests = [
        WindowRequest(one.canvas.window, one.caption, [seed + i]) for i, one in enumerate(photos)
    ]
    return [inpainter.fill_windows([request])[0].fills[0] for request in requests]


def apply(
    method: NativeMethod, photos: list[NativePhoto], fills: list[Pixels]
) -> tuple[list[Pixels], float]:
    """Fill every photo; return the photos, and the mean milliseconds of processor time of one."""
    start = time.process_time()
    filled = [method(one.canvas, fill) for one, fill in zip(photos, fills, strict=True)]
    return filled, 1000 * (time.process_time() - start) / len(photos)
