"""Colour words: whether naming another colour changes the colour of the fill."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from skimage.color import rgb2lab
from torch import Tensor

from models.captions import CaptionEncoder, EncoderError
from training.data.batches import captions_of
from training.evaluation.context import EvalContext
from training.evaluation.measurement import Measurement, from_interval, not_measured
from training.evaluation.methods import FillFunction
from training.evaluation.word_control.colours import Swap, moved_towards, swap_colour
from training.metrics.confidence import win_rate

NUM_SAMPLES = 4  # fills whose mean colour is compared
MIN_PAIRS = 10
MEASURE = "colour_words"


def colour_words(context: EvalContext) -> list[Measurement]:
    """Measure a set whose captions are sentences."""
    results, config = context.results, context.bundle.config
    swaps = first_swaps([captions_of(results.prepared, row) for row in results.rows.tolist()])
    if len(swaps) < MIN_PAIRS:
        return [not_measured(MEASURE, context.name, f"{len(swaps)} captions name a colour")]
    try:
        encoder = CaptionEncoder.load(config.encoder)
        context.bundle.check_encoder(encoder)
    except EncoderError as error:
        return [not_measured(MEASURE, context.name, str(error))]
    moves = colour_moves(
        context.inpainter.fill_batch,
        encoder.encode,
        context.pictures.pixels[torch.tensor(list(swaps))],
        list(swaps.values()),
        seed=context.seed,
        progress=lambda count: context.report_progress("colours", count, len(swaps)),
    )
    return [colour_measurement(context.name, list(swaps.values()), moves)]


def first_swaps(captions: Sequence[Sequence[str]]) -> dict[int, Swap]:
    """Return row of a picture -> the first of its captions that names a colour, swapped."""
    found = {
        row: next(filter(None, map(swap_colour, texts)), None) for row, texts in enumerate(captions)
    }
    return {row: swap for row, swap in found.items() if swap is not None}


def colour_moves(
    fill: FillFunction,
    encode: Callable[[Sequence[str]], Tensor],
    pixels: Tensor,
    swaps: Sequence[Swap],
    *,
    seed: int,
    progress: Callable[[int], None] = lambda count: None,
) -> Tensor:
    """Measure how far each fill's mean colour moves towards the new word's, `(N,)` in CIELAB.

    Args:
        fill: of the generator.
        encode: captions to vectors.
        pixels: of the pictures, uint8 `(N, 3, 64, 64)`.
        swaps: N of them.
        seed: of the noise, the same for both captions.
        progress: called with the number of pictures that are done.
    """
    vectors = encode([swap.caption for swap in swaps])
    swapped_vectors = encode([swap.other for swap in swaps])
    moves = []
    for number, swap in enumerate(swaps):
        picture = pixels[number].expand(NUM_SAMPLES, -1, -1, -1)
        seeds = [seed + number * NUM_SAMPLES + k for k in range(NUM_SAMPLES)]
        before, after = (
            mean_colour(fill(picture, caption.expand(NUM_SAMPLES, -1), seeds))
            for caption in (vectors[number], swapped_vectors[number])
        )
        moves.append(moved_towards(before, after, swap))
        progress(number + 1)
    return torch.tensor(moves, dtype=torch.float64)


def mean_colour(fills: Tensor) -> np.ndarray:
    """Return the mean CIELAB colour `(3,)` over all pixels of fills, uint8 `(N, 3, 32, 32)`."""
    colour: np.ndarray = rgb2lab(fills.permute(0, 2, 3, 1).numpy() / 255).mean((0, 1, 2))
    return colour


def colour_measurement(data: str, swaps: Sequence[Swap], moves: Tensor) -> Measurement:
    """Measure the share of fills that move towards the new colour; details by kind of word."""
    kinds = {
        "hue words": [not swap.by_lightness for swap in swaps],
        "black and white": [swap.by_lightness for swap in swaps],
        "things": [not swap.clothes for swap in swaps],
        "clothes": [swap.clothes for swap in swaps],
    }
    details: dict[str, float | str] = {"mean move in CIELAB units": float(moves.mean())}
    for kind, members in kinds.items():
        selected = moves[torch.tensor(members)]
        if len(selected):
            share = win_rate(selected, torch.zeros_like(selected))
            details[kind] = f"{share} of {len(selected)}"
    share = win_rate(moves, torch.zeros_like(moves))
    counted = f"{len(moves):,} pairs, {NUM_SAMPLES} noises"
    return from_interval(MEASURE, data, share, counted, details=details)
