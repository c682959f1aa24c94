"""Where a word lies from another in feature space, by the real centres of the training split."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from models.geometry import centre
from training.data.augment import centre_crop
from training.data.batches import captions_of
from training.data.memory_dataset import PreparedSplit
from training.experiments.captions.word_swaps import words_of

# Fewer pictures than this do not tell where a word is.
MIN_PICTURES = 20


@dataclass(frozen=True)
class Direction:
    """The line from a word to another.

    Attributes:
        way: from the mean feature of the old word's centres to that of the new word's, `(D,)`.
        old_pictures: how many centres the old mean is of.
        new_pictures: how many the new one is of.
    """

    way: Tensor
    old_pictures: int
    new_pictures: int

    def share(self, change: Tensor) -> Tensor:
        """Return how much of the way a change `(D,)` of features goes; 1 is all of it."""
        return change.double() @ self.way / self.way.square().sum()


def directions(
    train: PreparedSplit,
    swaps: Collection[tuple[str, str]],
    extract: Callable[[Tensor], Tensor],
    fewest: int = MIN_PICTURES,
) -> dict[tuple[str, str], Direction]:
    """Find the direction of each pair of words.

    Pictures whose captions say both words are of neither.

    Args:
        train: pictures that are not evaluated.
        swaps: pairs of old and new word.
        extract: centres uint8 `(N, 3, 32, 32)` to features `(N, D)`.
        fewest: pairs with fewer pictures on a side are left out.
    """
    wanted = {word for swap in swaps for word in swap}
    said = [words_of(captions_of(train, row)) & wanted for row in range(len(train))]
    rows = [row for row, words in enumerate(said) if words]
    if not rows:
        return {}
    features = extract(centre(centre_crop(train.images[rows])).contiguous()).double()
    heard = {word: torch.tensor([word in said[row] for row in rows]) for word in wanted}
    found = {}
    for old, new in swaps:
        olds, news = heard[old] & ~heard[new], heard[new] & ~heard[old]
        if min(olds.sum(), news.sum()) >= fewest:
            way = features[news].mean(0) - features[olds].mean(0)
            found[old, new] = Direction(way, int(olds.sum()), int(news.sum()))
    return found
