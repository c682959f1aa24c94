"""Whether naming another colour colours the fill."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from skimage.color import rgb2lab
from torch import Tensor

from models.captions import CaptionEncoder, EncoderError
from training.data.batches import captions_of
from training.evaluation.context import EvalContext
from training.evaluation.measurement import Measurement, measured, unmeasured
from training.evaluation.methods import Filler
from training.evaluation.word_control.colours import Swap, moved_towards, swap_colour
from training.metrics.confidence import share_won, told

NOISES = 4  # fills whose mean colour is compared
LEAST = 10  # pairs: of fewer a share says nothing
NAME = "colour_words"


def colour_words(subject: EvalContext) -> list[Measurement]:
    """Of a set whose captions are sentences."""
    done, config = subject.done, subject.bundle.config
    swaps = first_swaps([captions_of(done.prepared, row) for row in done.rows.tolist()])
    if len(swaps) < LEAST:
        return [unmeasured(NAME, done.name, f"{len(swaps)} captions name a colour")]
    try:
        encoder = CaptionEncoder.load(config.encoder)
        subject.bundle.check_encoder(encoder)
    except EncoderError as error:
        return [unmeasured(NAME, done.name, str(error))]
    numbers = torch.tensor(list(swaps))
    moves = colour_moves(
        subject.engine.fill,
        encoder.encode,
        subject.pictures.pixels[numbers],
        list(swaps.values()),
        seed=done.seed,
        progress=lambda count: subject.tell("colours", count, len(swaps)),
    )
    return [judged(done.name, list(swaps.values()), moves)]


def first_swaps(captions: Sequence[Sequence[str]]) -> dict[int, Swap]:
    """Picture number -> the first of its captions that names a colour, swapped."""
    found = {
        number: next(filter(None, map(swap_colour, some)), None)
        for number, some in enumerate(captions)
    }
    return {number: swap for number, swap in found.items() if swap is not None}


def colour_moves(
    fill: Filler,
    encode: Callable[[Sequence[str]], Tensor],
    pixels: Tensor,
    swaps: Sequence[Swap],
    *,
    seed: int,
    progress: Callable[[int], None] = lambda count: None,
) -> Tensor:
    """How far each fill's mean colour goes towards the other word's, `(N,)`.

    Args:
        fill: who fills.
        encode: captions to vectors.
        pixels: of the pictures, uint8 `(N, 3, 64, 64)`.
        swaps: N of them.
        seed: of the noise, the same for both captions.
        progress: told how many are done.
    """
    as_is = encode([swap.caption for swap in swaps])
    instead = encode([swap.other for swap in swaps])
    moves = []
    for number, swap in enumerate(swaps):
        picture = pixels[number].expand(NOISES, -1, -1, -1)
        seeds = [seed + number * NOISES + k for k in range(NOISES)]
        before, after = (
            mean_colour(fill(picture, caption.expand(NOISES, -1), seeds))
            for caption in (as_is[number], instead[number])
        )
        moves.append(moved_towards(before, after, swap))
        progress(number + 1)
    return torch.tensor(moves, dtype=torch.float64)


def mean_colour(fills: Tensor) -> np.ndarray:
    """Mean CIELAB colour of fills, uint8 `(N, 3, 32, 32)`, as `(3,)`: the mean of the pixels'."""
    found: np.ndarray = rgb2lab(fills.permute(0, 2, 3, 1).numpy() / 255).mean((0, 1, 2))
    return found


def judged(data: str, swaps: Sequence[Swap], moves: Tensor) -> Measurement:
    """The figure, with the shares of hue and lightness, of things and clothes beside it."""
    kinds = {
        "hue words": [not swap.by_lightness for swap in swaps],
        "black and white": [swap.by_lightness for swap in swaps],
        "things": [not swap.clothes for swap in swaps],
        "clothes": [swap.clothes for swap in swaps],
    }
    beside: dict[str, float | str] = {"mean move in CIELAB units": float(moves.mean())}
    for kind, which in kinds.items():
        some = moves[torch.tensor(which)]
        if len(some):
            share = share_won(some, torch.zeros_like(some))
            beside[kind] = f"{told(share)} of {len(some)}"
    share = share_won(moves, torch.zeros_like(moves))
    return measured(NAME, data, share, f"{len(moves):,} pairs, {NOISES} noises", beside=beside)
