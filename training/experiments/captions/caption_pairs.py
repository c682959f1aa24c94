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


@dataclass(frozen=True)
class Pairing:
    """N pictures, each with its own caption and another.

    Attributes:
        name: what the other caption is.
        pixels: uint8 `(N, 3, 64, 64)`.
        captions: N texts, true ones.
        others: N texts, empty for no caption.
        vectors: float32 `(N, D)` of the captions.
        other_vectors: the same of the others; zeros for no caption.
        swaps: the word that was changed and the one it was changed into, for near misses.
    """

    name: str
    pixels: Tensor
    captions: list[str]
    others: list[str]
    vectors: Tensor
    other_vectors: Tensor
    swaps: list[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.captions)

    def some(self, count: int, begin: float = 0.0) -> "Pairing":
        """Return the same of at most so many pictures, evenly spaced.

        Args:
            count: of pictures.
            begin: where the first is, as a share of the space between two.
        """
        rows = evenly_spaced(len(self), count)
        rows += int(begin * len(self) / len(rows))
        kept = rows.tolist()
        return Pairing(
            self.name,
            self.pixels[rows],
            [self.captions[i] for i in kept],
            [self.others[i] for i in kept],
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
    texts, vectors = pictures.captions, pictures.vectors
    shuffled = [texts[i] for i in pictures.mismatched.tolist()]
    without, mixed = torch.zeros_like(vectors), vectors[pictures.mismatched]
    found = [
        Pairing(NO_CAPTION, pictures.pixels, texts, [""] * len(texts), vectors, without, []),
        Pairing(SHUFFLED, pictures.pixels, texts, shuffled, vectors, mixed, []),
    ]
    rows = evenly_spaced(len(held_out), limit).tolist()
    for name, table in TABLES.items():
        misses = [first_miss(captions_of(held_out, row), table) for row in rows]
        found.append(near_misses(name, pictures.pixels, misses, encode))
    return [pairing for pairing in found if len(pairing) > 1]


def first_miss(captions: Sequence[str], table: dict[str, str]) -> NearMiss | None:
    """Change the first caption that has a word of the table."""
    changed = (near_miss(caption, table) for caption in captions)
    return next((miss for miss in changed if miss is not None), None)


def near_misses(
    name: str, pixels: Tensor, misses: Sequence[NearMiss | None], encode: Encode
) -> Pairing:
    """Pair those pictures that have a near miss with it."""
    rows = [row for row, miss in enumerate(misses) if miss is not None]
    kept = [miss for miss in misses if miss is not None]
    captions, changed = [m.caption for m in kept], [m.changed for m in kept]
    # Both are embedded here: the prepared vectors are rounded to half precision.
    vectors, others = encode(captions), encode(changed)
    swaps = [(miss.old, miss.new) for miss in kept]
    return Pairing(name, pixels[rows], captions, changed, vectors, others, swaps)
