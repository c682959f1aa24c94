"""Colour words: whether naming another colour changes the colour of the fill."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from skimage.color import rgb2lab
from torch import Tensor

from models.captions import EncoderError
from training.data.batches import captions_of
from training.evaluation.benchmarks.context import EvalContext
from training.evaluation.benchmarks.measurement import Measurement, NotMeasuredError, from_interval
from training.evaluation.metrics.confidence import Interval, win_rate

NUM_SAMPLES = 4  # fills whose mean colour is compared
MIN_PAIRS = 10
# Each colour in sRGB, and the new one: far away in colour space, and a frequent word.
COLOURS = {
    "red": ((255, 0, 0), "blue"),
    "blue": ((0, 0, 255), "red"),
    "yellow": ((255, 255, 0), "blue"),
    "orange": ((255, 165, 0), "blue"),
    "green": ((0, 128, 0), "red"),
    "purple": ((128, 0, 128), "yellow"),
    "pink": ((255, 192, 203), "green"),
    "brown": ((150, 75, 0), "white"),
    "black": ((0, 0, 0), "white"),
    "white": ((255, 255, 255), "black"),
}
PEOPLE = (
    "man|men|woman|women|boys?|girls?|child|children|kids?|person|people|lady|ladies|guys?|baby|"
    "toddler|couple|players?|climber|biker|swimmer|dancer|skier|runner|rider"
)
COLOUR = f"(?P<colour>{'|'.join(COLOURS)})"
START = r"^(?:(?:a|an|the|one|two|three|four|five|several|some|many) )?"
MODIFIERS = r"(?:(?:very|small|large|big|little|young|old|tall|long|wet|fluffy|light|dark|dirty) )*"
# Excluded: two colours ("black and white dog"), parts ("red haired"), and people, for whom "black"
# and "white" are no colours of pixels.
THING = rf"(?! ?(?:and|or|,|-)|.?\w*(?:haired|headed|skinned|hair|is|{PEOPLE})\b) [a-z]+"
WEARER = rf"(?:{PEOPLE}) (?:in|wearing|dressed in) (?:a |an |the )?"
FIRST_THING = re.compile(START + MODIFIERS + COLOUR + THING, re.IGNORECASE)
FIRST_CLOTHES = re.compile(START + MODIFIERS + WEARER + COLOUR + THING, re.IGNORECASE)


class Swap(NamedTuple):
    """A caption, and the same with another colour, of a thing or of a person's clothes."""

    caption: str
    other: str
    colour: str
    new_colour: str
    clothes: bool

    @property
    def by_lightness(self) -> bool:
        """Whether the two colours differ in lightness rather than in hue."""
        return not {"black", "white"}.isdisjoint((self.colour, self.new_colour))


def swap_colour(caption: str) -> Swap | None:
    """Replace the colour of the main thing, or of what it wears; `None` where it has no colour.

    The main thing is the first noun of the caption. The colour stands right before it, preceded
    only by an article or number and a few plain adjectives. Or the first noun is a person "in" or
    "wearing" a thing, and the colour stands right before that thing.
    """
    for pattern in (FIRST_THING, FIRST_CLOTHES):
        match = pattern.match(caption)
        if match:
            start, end = match.span("colour")
            colour = match["colour"].lower()
            _, new = COLOURS[colour]
            before = re.sub(r"\b([Aa])n $", r"\1 ", caption[:start])
            other = before + (new.title() if start == 0 else new) + caption[end:]
            return Swap(caption, other, colour, new, pattern is FIRST_CLOTHES)
    return None


def colour_words(context: EvalContext) -> Measurement:
    """Measure a set whose captions are sentences."""
    captions = [captions_of(context.prepared, row) for row in context.rows.tolist()]
    swaps = first_swaps(captions)
    if len(swaps) < MIN_PAIRS:
        raise NotMeasuredError(f"{len(swaps)} captions name a colour")
    try:
        encoder = context.inpainter.encoder
    except EncoderError as error:
        raise NotMeasuredError(str(error)) from error

    def fill(pixels: Tensor, captions: Tensor, seeds: Sequence[int]) -> Tensor:
        fills = context.inpainter.fill_batch(pixels.numpy(), captions.numpy(), seeds)
        return torch.from_numpy(fills)

    moves = colour_moves(
        fill,
        lambda sentences: torch.from_numpy(encoder.encode(sentences)),
        context.pictures.pixels[torch.tensor(list(swaps))],
        list(swaps.values()),
        seed=context.seed,
        progress=lambda count: context.report_progress("colours", count, len(swaps)),
    )
    return colour_measurement(list(swaps.values()), moves)


def first_swaps(captions: Sequence[Sequence[str]]) -> dict[int, Swap]:
    """Return row of a picture -> the first of its captions that names a colour, swapped."""
    found = {
        row: next(filter(None, map(swap_colour, texts)), None) for row, texts in enumerate(captions)
    }
    return {row: swap for row, swap in found.items() if swap is not None}


def colour_moves(
    fill: Callable[[Tensor, Tensor, Sequence[int]], Tensor],
    encode: Callable[[Sequence[str]], Tensor],
    pixels: Tensor,
    swaps: Sequence[Swap],
    *,
    seed: int,
    progress: Callable[[int], None] = lambda count: None,
) -> Tensor:
    """Measure how far each fill's mean colour moves towards the new word's, `(N,)` in CIELAB.

    Both captions of picture *i* of `pixels`, uint8 `(N, 3, 64, 64)`, get the same noise.
    `progress` is called with the number of pictures that are done.
    """
    vectors = [encode([swap.caption for swap in swaps]), encode([swap.other for swap in swaps])]
    moves = []
    for number, swap in enumerate(swaps):
        picture = pixels[number].expand(NUM_SAMPLES, -1, -1, -1)
        seeds = [seed + number * NUM_SAMPLES + k for k in range(NUM_SAMPLES)]
        before, after = (
            mean_colour(fill(picture, captions[number].expand(NUM_SAMPLES, -1), seeds))
            for captions in vectors
        )
        moves.append(moved_towards(before, after, swap))
        progress(number + 1)
    return torch.tensor(moves, dtype=torch.float64)


def mean_colour(fills: Tensor) -> np.ndarray:
    """Return the mean CIELAB colour `(3,)` over all pixels of fills, uint8 `(N, 3, 32, 32)`."""
    colour: np.ndarray = rgb2lab(fills.permute(0, 2, 3, 1).numpy() / 255).mean((0, 1, 2))
    return colour


def colour_measurement(swaps: Sequence[Swap], moves: Tensor) -> Measurement:
    """Measure the share of fills that move towards the new colour; details by kind of word."""
    kinds = {
        "hue words": [not swap.by_lightness for swap in swaps],
        "black and white": [swap.by_lightness for swap in swaps],
        "things": [not swap.clothes for swap in swaps],
        "clothes": [swap.clothes for swap in swaps],
    }
    details: dict[str, float | str] = {"mean move in CIELAB units": float(moves.mean())}
    for kind, members in kinds.items():
        if any(members):
            selected = moves[torch.tensor(members)]
            details[kind] = f"{share_above_0(selected)} of {len(selected)}"
    counted = f"{len(moves):,} pairs, {NUM_SAMPLES} noises"
    return from_interval(share_above_0(moves), counted, details=details)


def share_above_0(moves: Tensor) -> Interval:
    """Return the share of moves above 0."""
    return win_rate(moves, torch.zeros_like(moves))


def moved_towards(before: np.ndarray, after: np.ndarray, swap: Swap) -> float:
    """Return how far a CIELAB colour `(3,)` moved towards the new word's; above 0 is towards it.

    The move is in L* where one of the words is black or white, else in a*b* along the line from
    the old to the new colour.
    """
    ends = rgb2lab(np.array([COLOURS[c][0] for c in (swap.colour, swap.new_colour)]) / 255)
    axes = slice(0, 1) if swap.by_lightness else slice(1, 3)
    direction = (ends[1] - ends[0])[axes]
    return float((after - before)[axes] @ direction / np.linalg.norm(direction))
