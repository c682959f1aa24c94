"""Pictures with their true caption and another one to compare with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.data.batches import captions_of
from training.data.memory_dataset import PreparedSplit
from training.evaluation.dataset import evenly_spaced, select_pictures
from training.experiments.captions.word_swaps import COLOURS, OBJECTS, NearMiss, near_miss

NO_CAPTION, SHUFFLED, COLOUR, OBJECT = "no caption", "shuffled", "colour changed", "object changed"
TABLES = {COLOUR: COLOURS, OBJECT: OBJECTS}

Encode = Callable[[Sequence[str]], Tensor]
Swap = tuple[str, str]
"""The word that was changed, and the one it was changed into."""


@dataclass(frozen=True)
class Pairing:
    """N pictures, each with its own caption and another.

    Attributes:
        name: what the other caption is.
        pixels: uint8 `(N, 3, 64, 64)`.
        captions: N texts, true ones.
        vectors: float32 `(N, D)` of the captions.
        other_vectors: the same of the other captions; zeros for no caption.
        swaps: of near misses.
    """

    name: str
    pixels: Tensor
    captions: list[str]
    vectors: Tensor
    other_vectors: Tensor
    swaps: list[Swap]

    def __len__(self) -> int:
        return len(self.captions)

    def some(self, count: int, begin: float = 0.0) -> "Pairing":
        """Return the same of at most `count` pictures, evenly spaced.

        The first is the share `begin` of the space between two away from the start.
        """
        rows = evenly_spaced(len(self), count)
        rows += int(begin * len(self) / len(rows))
        kept = rows.tolist()
        return Pairing(
            self.name,
            self.pixels[rows],
            [self.captions[i] for i in kept],
            self.vectors[rows],
            self.other_vectors[rows],
            [self.swaps[i] for i in kept] if self.swaps else [],
        )


def pairings(held_out: PreparedSplit, limit: int, seed: int, encode: Encode) -> list[Pairing]:
    """Pair true captions with none, another picture's, and near misses.

    A picture takes part in near misses with the first of its captions that has a word of the
    table, and not at all where none has. Kinds with fewer than two pictures are left out.

    Args:
        held_out: pictures to draw from.
        limit: at most so many, evenly spaced.
        seed: of the shuffle.
        encode: captions to vectors.

    Raises:
        EvaluationError: fewer than two pictures, or pictures under 64×64.
    """
    pictures = select_pictures(held_out, limit, seed)
    pixels, texts, vectors = pictures.pixels, pictures.captions, pictures.vectors
    found = [
        Pairing(NO_CAPTION, pixels, texts, vectors, torch.zeros_like(vectors), []),
        Pairing(SHUFFLED, pixels, texts, vectors, vectors[pictures.mismatched], []),
    ]
    captions = [captions_of(held_out, row) for row in evenly_spaced(len(held_out), limit).tolist()]
    found += [near_misses(name, pixels, captions, encode) for name in TABLES]
    return [pairing for pairing in found if len(pairing) > 1]


def near_misses(
    name: str, pixels: Tensor, captions: Sequence[Sequence[str]], encode: Encode
) -> Pairing:
    """Pair those pictures that have a near miss with it, by the first caption that has one."""
    misses: dict[int, NearMiss] = {}
    for row, texts in enumerate(captions):
        found = (near_miss(text, TABLES[name]) for text in texts)
        if first := next((miss for miss in found if miss is not None), None):
            misses[row] = first
    kept = [*misses.values()]
    true = [miss.caption for miss in kept]
    # Both are embedded here: the prepared vectors are rounded to half precision.
    vectors, others = encode(true), encode([miss.changed for miss in kept])
    swaps = [(miss.old, miss.new) for miss in kept]
    return Pairing(name, pixels[[*misses]], true, vectors, others, swaps)
