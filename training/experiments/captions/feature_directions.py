"""The direction from one word to another in feature space, by real centres of the train split."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from models.geometry import centre
from training.data.augment import centre_crop
from training.data.batches import captions_of
from training.data.memory_dataset import PreparedSplit
from training.experiments.captions.word_swaps import words_of

# For the mean feature of a word.
MIN_PICTURES = 20


@dataclass(frozen=True)
class Direction:
    """The direction from one word to another.

    Attributes:
        vector: from the mean feature of the old word's centres to that of the new word's, `(D,)`.
        old_pictures: how many centres the old mean is of.
        new_pictures: how many the new one is of.
    """

    vector: Tensor
    old_pictures: int
    new_pictures: int

    def share(self, change: Tensor) -> Tensor:
        """Return the share of the vector that a change `(D,)` of features covers."""
        return change.double() @ self.vector / self.vector.square().sum()


def directions(
    train: PreparedSplit,
    swaps: Collection[tuple[str, str]],
    extract: Callable[[Tensor], Tensor],
    fewest: int = MIN_PICTURES,
) -> dict[tuple[str, str], Direction]:
    """Find the direction of each pair of words.

    Pictures whose captions have both words count for neither.

    Args:
        train: pictures that are not evaluated.
        swaps: pairs of old and new word.
        extract: centres uint8 `(N, 3, 32, 32)` to features `(N, D)`.
        fewest: pairs with fewer pictures on a side are left out.
    """
    wanted = {word for swap in swaps for word in swap}
    words_by_row = [words_of(captions_of(train, row)) & wanted for row in range(len(train))]
    rows = [row for row, words in enumerate(words_by_row) if words]
    if not rows:
        return {}
    features = extract(centre(centre_crop(train.images[rows])).contiguous()).double()
    has_word = {word: torch.tensor([word in words_by_row[row] for row in rows]) for word in wanted}
    found = {}
    for old, new in swaps:
        olds, news = has_word[old] & ~has_word[new], has_word[new] & ~has_word[old]
        if min(olds.sum(), news.sum()) >= fewest:
            vector = features[news].mean(0) - features[olds].mean(0)
            found[old, new] = Direction(vector, int(olds.sum()), int(news.sum()))
    return found
