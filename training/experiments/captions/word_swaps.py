"""Near misses of captions: one word is replaced by another of the same kind.

The rest of the sentence does not change. Colours go to one that is far off in Lab; objects to
one that could stand in its place, and that training captions have often enough to have been learnt
(Flickr8k: dogs, people, places).
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

RGB = {
    "red": (200, 30, 30),
    "orange": (240, 130, 20),
    "yellow": (240, 220, 40),
    "green": (40, 140, 50),
    "blue": (40, 70, 190),
    "purple": (120, 40, 150),
    "pink": (245, 150, 190),
    "brown": (110, 70, 40),
    "tan": (205, 175, 135),
    "black": (20, 20, 20),
    "grey": (128, 128, 128),
    "gray": (128, 128, 128),
    "white": (240, 240, 240),
}
COLOURS = {
    "red": "blue",
    "orange": "blue",
    "yellow": "blue",
    "green": "red",
    "blue": "red",
    "purple": "yellow",
    "pink": "green",
    "brown": "white",
    "tan": "blue",
    "black": "white",
    "grey": "red",
    "gray": "red",
    "white": "black",
}
_PAIRS = (
    "man woman, men women, boy girl, boys girls, dog cat, dogs children, beach street, snow grass, "
    "water sand, ocean forest, mountain building, field road, bike horse, bicycle skateboard, "
    "ball stick, rock tree, rocks trees, wall fence"
)
_SWAPS = [pair.split() for pair in _PAIRS.split(", ")]
OBJECTS = {old: new for pair in _SWAPS for old, new in (pair, pair[::-1])} | {
    "person": "dog",
    "people": "dogs",
    "child": "dog",
    "lake": "field",
    "river": "road",
    "pool": "field",
    "hill": "street",
    "park": "beach",
    "car": "boat",
    "boat": "car",
}


class NearMiss(NamedTuple):
    """A caption with one word changed."""

    caption: str
    changed: str
    old: str
    new: str


def near_miss(caption: str, table: dict[str, str]) -> NearMiss | None:
    """Change the first word of a caption that a table has, once; None where it has none.

    >>> near_miss("A red sticker on a red car", COLOURS).changed
    'A blue sticker on a red car'
    """
    for match in re.finditer(r"[A-Za-z]+", caption):
        old = match[0].lower()
        if old in table:
            new = table[old].capitalize() if match[0][0].isupper() else table[old]
            changed = caption[: match.start()] + new + caption[match.end() :]
            return NearMiss(caption, changed, old, table[old])
    return None


def words_of(captions: Iterable[str]) -> set[str]:
    """Return all words of some captions, in small letters."""
    return {word for caption in captions for word in re.findall(r"[a-z]+", caption.lower())}
