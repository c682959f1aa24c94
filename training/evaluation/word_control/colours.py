"""Swaps the colour word of a caption's main thing for another colour."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from skimage.color import rgb2lab

# The new colour of each: far away in colour space, and a frequent word.
SWAPS = {
    "red": "blue",
    "blue": "red",
    "yellow": "blue",
    "orange": "blue",
    "green": "red",
    "purple": "yellow",
    "pink": "green",
    "brown": "white",
    "black": "white",
    "white": "black",
}
SRGB = {
    "red": (255, 0, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "green": (0, 128, 0),
    "purple": (128, 0, 128),
    "pink": (255, 192, 203),
    "brown": (150, 75, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}
BY_LIGHTNESS = {"black", "white"}
PEOPLE = (
    "man|men|woman|women|boys?|girls?|child|children|kids?|person|people|lady|ladies|guys?|baby|"
    "toddler|couple|players?|climber|biker|swimmer|dancer|skier|runner|rider"
)
COLOUR = f"(?P<colour>{'|'.join(SWAPS)})"
START = r"^(?:(?:a|an|the|one|two|three|four|five|several|some|many) )?"
MODIFIERS = r"(?:(?:very|small|large|big|little|young|old|tall|long|wet|fluffy|light|dark|dirty) )*"
# Excluded: two colours ("black and white dog"), parts ("red haired"), and people, for whom "black"
# and "white" are no colours of pixels.
THING = rf"(?! ?(?:and|or|,|-)|.?\w*(?:haired|headed|skinned|hair|is|{PEOPLE})\b) [a-z]+"
WEARER = rf"(?:{PEOPLE}) (?:in|wearing|dressed in) (?:a |an |the )?"
FIRST_THING = re.compile(START + MODIFIERS + COLOUR + THING, re.IGNORECASE)
FIRST_CLOTHES = re.compile(START + MODIFIERS + WEARER + COLOUR + THING, re.IGNORECASE)


class Swap(NamedTuple):
    """A caption and its copy with another colour word.

    Attributes:
        caption: the original.
        other: the caption with the new colour.
        colour: the word in the original.
        new_colour: the word in the copy.
        clothes: whether the word is the colour of a person's clothes.
    """

    caption: str
    other: str
    colour: str
    new_colour: str
    clothes: bool

    @property
    def by_lightness(self) -> bool:
        """Whether the two colours differ in lightness rather than in hue."""
        return not BY_LIGHTNESS.isdisjoint((self.colour, self.new_colour))


def swap_colour(caption: str) -> Swap | None:
    """Replace the colour of the main thing, or of what it wears.

    The main thing is the first noun of the caption, and the colour stands right before it, but for
    its article or number and a few plain adjectives; or the first noun is a person "in" or
    "wearing" a thing, right before which the colour stands.

    Returns:
        The swap, or `None` where the main thing has no colour.
    """
    for pattern in (FIRST_THING, FIRST_CLOTHES):
        match = pattern.match(caption)
        if match:
            start, end = match.span("colour")
            colour = match["colour"].lower()
            new = SWAPS[colour]
            before = re.sub(r"\b([Aa])n $", r"\1 ", caption[:start])
            other = before + (new.title() if start == 0 else new) + caption[end:]
            return Swap(caption, other, colour, new, pattern is FIRST_CLOTHES)
    return None


def moved_towards(before: np.ndarray, after: np.ndarray, swap: Swap) -> float:
    """Return how far a colour moved towards the new word's, in units of CIELAB.

    Args:
        before: CIELAB `(3,)` of the fill with the original caption.
        after: CIELAB `(3,)` of the fill with the other caption.
        swap: the two captions.

    Returns:
        The move in L* where one of the words is black or white, else in a*b* along the line from
        the old to the new colour; above 0 is towards the new one.
    """
    ends = rgb2lab(np.array([SRGB[swap.colour], SRGB[swap.new_colour]]) / 255)
    axes = slice(0, 1) if swap.by_lightness else slice(1, 3)
    direction = (ends[1] - ends[0])[axes]
    return float((after - before)[axes] @ direction / np.linalg.norm(direction))
