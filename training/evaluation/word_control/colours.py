"""Captions that name the colour of their main thing, and the same with another colour."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from skimage.color import rgb2lab

# What each colour is turned into: far away, and as likely a word as can be.
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
# Neither another colour beside it ("black and white dog", "brown dog" is fine), nor a part ("red
# haired"), nor people, of whom "black" and "white" say something else.
THING = rf"(?! ?(?:and|or|,|-)|.?\w*(?:haired|headed|skinned|hair|is|{PEOPLE})\b) [a-z]+"
WEARER = rf"(?:{PEOPLE}) (?:in|wearing|dressed in) (?:a |an |the )?"
FIRST_THING = re.compile(START + MODIFIERS + COLOUR + THING, re.IGNORECASE)
FIRST_CLOTHES = re.compile(START + MODIFIERS + WEARER + COLOUR + THING, re.IGNORECASE)


class Swap(NamedTuple):
    """A caption, and the same with another colour.

    Attributes:
        caption: as it is.
        other: with the other colour.
        colour: in the caption.
        instead: in the other.
        clothes: whether it is the colour of what the main thing, a person, wears.
    """

    caption: str
    other: str
    colour: str
    instead: str
    clothes: bool

    @property
    def by_lightness(self) -> bool:
        """Whether the two differ in lightness rather than in hue."""
        return not BY_LIGHTNESS.isdisjoint((self.colour, self.instead))


def swap_colour(caption: str) -> Swap | None:
    """Name another colour instead of the main thing's, or of what it wears.

    The main thing is the first noun of the caption, and the colour stands right before it, but for
    its article or number and a few plain adjectives; or the first noun is a person "in" or
    "wearing" a thing, right before which the colour stands.

    Returns:
        The two captions, or `None` where the main thing has no colour.
    """
    for pattern in (FIRST_THING, FIRST_CLOTHES):
        match = pattern.match(caption)
        if match:
            start, end = match.span("colour")
            colour = match["colour"].lower()
            instead = SWAPS[colour]
            before = re.sub(r"\b([Aa])n $", r"\1 ", caption[:start])
            other = before + (instead.title() if start == 0 else instead) + caption[end:]
            return Swap(caption, other, colour, instead, pattern is FIRST_CLOTHES)
    return None


def moved_towards(before: np.ndarray, after: np.ndarray, swap: Swap) -> float:
    """How far a colour went towards the other word's, in units of CIELAB.

    Args:
        before: CIELAB `(3,)` of the fill with the caption as it is.
        after: of the fill with the other colour.
        swap: the two words.

    Returns:
        Above 0 the right way, in L* where one of the words is black or white, else in a*b*
        along the line from the one word's colour to the other's.
    """
    ends = rgb2lab(np.array([SRGB[swap.colour], SRGB[swap.instead]]) / 255)
    axes = slice(0, 1) if swap.by_lightness else slice(1, 3)
    way = (ends[1] - ends[0])[axes]
    return float((after - before)[axes] @ way / np.linalg.norm(way))
