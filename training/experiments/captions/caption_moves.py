"""Measures how far another caption moves a fill, and in which direction."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from skimage.color import rgb2lab
from torch import Tensor

from models.geometry import centre, hole_mask, paste
from training.data.augment import centre_crop
from training.data.batches import captions_of
from training.data.memory_dataset import PreparedSplit
from training.evaluation.metrics.confidence import bootstrap_interval
from training.evaluation.metrics.image_metrics import ExtractFeatures
from training.evaluation.metrics.mobilenet import feature_distance
from training.evaluation.metrics.pixels import l1_levels
from training.experiments.captions.caption_pairs import Pairing, Swap
from training.experiments.captions.word_swaps import RGB, words_of
from training.experiments.comparison.runs import FillRun

MIN_PICTURES = 20  # for the mean feature of a word
DEFINITIONS = {
    "fill_moves": (
        "difference between the fill of the true caption and that of the other, the noise the "
        "same: mean absolute levels in the hole, and Euclidean distance of the composites' features"
    ),
    "noise_moves": "the same between two fills of the true caption that differ in noise alone",
    "gain": (
        "how much nearer the true caption's fill is to the real picture than the other's, in "
        "levels of L1 over the hole and in distance of the composites' features; above 0 is right"
    ),
    "nearer": "share of pictures whose true caption's fill is the nearer one; 0.5 is chance",
    "colour": (
        "change of the fill's mean colour in CIE Lab, as the caption goes from the old colour word "
        "to the new, projected on the direction from the old colour to the new (ΔE units)"
    ),
    "direction": (
        "change of the fill's features, as the caption goes from the old word to the new, along "
        "the line from the mean feature of the training split's real centres whose captions say "
        "the old word to the mean of those that say the new; 1 is all the way"
    ),
    "right": "share of pictures with a change above 0, one of exactly 0 a half; 0.5 is chance",
}


@dataclass(frozen=True)
class CaptionResponse:
    """The fills of a pairing of N pictures, uint8 `(N, 3, 32, 32)`.

    Attributes:
        pairing: the pictures and captions.
        true: fills of the true captions.
        other: fills of the other captions, the noise the same.
        reseeded: fills of the true captions with other noise.
    """

    pairing: Pairing
    true: Tensor
    other: Tensor
    reseeded: Tensor


def respond(pairing: Pairing, fill: FillRun, seed: int) -> CaptionResponse:
    """Fill a pairing's holes with both captions, and once more with other noise."""
    pixels, vectors = pairing.pixels, pairing.vectors
    return CaptionResponse(
        pairing,
        true=fill(pixels, vectors, seed),
        other=fill(pixels, pairing.other_vectors, seed),
        reseeded=fill(pixels, vectors, seed + 1),
    )


def measure_response(
    response: CaptionResponse, extract: ExtractFeatures, seed: int
) -> dict[str, Any]:
    """Measure how far the other caption moves the fill, and which one is nearer to the real."""
    pixels = response.pairing.pixels
    fills = {
        "real": centre(pixels),
        "true": response.true,
        "other": response.other,
        "reseeded": response.reseeded,
    }
    features = {name: extract(paste(pixels, hole_mask(), one)) for name, one in fills.items()}

    def apart(first: str, second: str) -> dict[str, Tensor]:
        return {
            "levels": l1_levels(fills[first], fills[second]),
            "features": feature_distance(features[first], features[second]),
        }

    wrong, right = apart("other", "real"), apart("true", "real")
    gain = {unit: wrong[unit] - right[unit] for unit in wrong}
    measured = {
        "fill_moves": apart("true", "other"),
        "noise_moves": apart("true", "reseeded"),
        "gain": gain,
        "nearer": {unit: sign_score(gains) for unit, gains in gain.items()},
    }
    return {"pictures": len(response.pairing)} | {
        name: {unit: interval(values, seed) for unit, values in of_units.items()}
        for name, of_units in measured.items()
    }


def colour_change(response: CaptionResponse) -> Tensor:
    """Project the change of each fill's mean Lab colour on old → new, `(N,)` in ΔE units."""

    def mean_lab(fills: Tensor) -> Tensor:
        colours = rgb2lab(fills.permute(0, 2, 3, 1).numpy())
        return torch.from_numpy(np.asarray(colours, np.float64)).mean((1, 2))

    def word_lab(word: str) -> Tensor:
        return torch.from_numpy(rgb2lab(np.array(RGB[word]) / 255.0))

    change = mean_lab(response.other) - mean_lab(response.true)
    vectors = torch.stack([word_lab(new) - word_lab(old) for old, new in response.pairing.swaps])
    moves: Tensor = (change * vectors / vectors.norm(dim=1, keepdim=True)).sum(1)
    return moves


def directions(
    train: PreparedSplit,
    swaps: Collection[Swap],
    extract: Callable[[Tensor], Tensor],
    fewest: int = MIN_PICTURES,
) -> dict[Swap, Tensor]:
    """Find the direction from each old word to the new one in feature space.

    It goes from the mean feature `(D,)` of the old word's real centres to that of the new word's.
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
            found[old, new] = features[news].mean(0) - features[olds].mean(0)
    return found


def share_of(direction: Tensor, change: Tensor) -> Tensor:
    """Return the share of a direction `(D,)` that a change `(D,)` of features covers."""
    return change.double() @ direction / direction.square().sum()


def feature_change(
    response: CaptionResponse, directions: Mapping[Swap, Tensor], extract: ExtractFeatures
) -> tuple[Tensor, list[Swap]]:
    """Project the change of each fill's features on the direction of its words.

    Returns `(M,)` shares of the way, and the words, of the pictures whose words have a direction.
    """
    swaps = response.pairing.swaps
    rows = [row for row, swap in enumerate(swaps) if swap in directions]
    if not rows:
        return torch.zeros(0, dtype=torch.float64), []
    change = extract(response.other[rows]) - extract(response.true[rows])
    known = [swaps[row] for row in rows]
    shares = [share_of(directions[s], moved) for s, moved in zip(known, change, strict=True)]
    return torch.stack(shares), known


def direction_figures(change: Tensor, swaps: Sequence[Swap], seed: int) -> dict[str, Any]:
    """Return share right and mean change `(N,)`, of all and of each pair of words."""
    groups = defaultdict(list)
    for row, (old, new) in enumerate(swaps):
        groups[f"{old} → {new}"].append(row)
    by_words = {
        words: {
            "pictures": len(rows),
            "right": float(sign_score(change[rows]).mean()),
            "change": float(change[rows].mean()),
        }
        for words, rows in sorted(groups.items(), key=lambda group: -len(group[1]))
    }
    return {
        "pictures": len(change),
        "right": interval(sign_score(change), seed),
        "change": interval(change, seed),
        "unmoved": int((change == 0).sum()),
        "by_words": by_words,
    }


def sign_score(change: Tensor) -> Tensor:
    """Return 1 where a change is above 0, 0 where below, a half where there is none."""
    return (change.double().sign() + 1) / 2


def interval(values: Tensor, seed: int) -> dict[str, float]:
    """Return the mean and its 95% bootstrap interval as plain values."""
    return asdict(bootstrap_interval(values, seed))
