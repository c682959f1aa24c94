"""Measures how far another caption moves a fill, and in which direction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from skimage.color import rgb2lab
from torch import Tensor

from models.geometry import centre, hole_mask, paste
from training.experiments.captions.caption_pairs import Pairing
from training.experiments.captions.feature_directions import Direction
from training.experiments.captions.word_swaps import RGB
from training.experiments.comparison.runs import FillRun
from training.metrics.confidence import bootstrap_interval
from training.metrics.image_metrics import ExtractFeatures
from training.metrics.mobilenet import feature_distance
from training.metrics.pixels import l1_levels

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
    """The fills of a pairing.

    Attributes:
        pairing: N pictures and captions.
        true: fills of the true captions, uint8 `(N, 3, 32, 32)`.
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
    real = centre(pixels)
    of = {
        name: extract(paste(pixels, hole_mask(), fills))
        for name, fills in {
            "true": response.true,
            "other": response.other,
            "reseeded": response.reseeded,
            "real": real,
        }.items()
    }
    l1 = l1_levels(response.other, real) - l1_levels(response.true, real)
    features = feature_distance(of["other"], of["real"]) - feature_distance(of["true"], of["real"])
    return {
        "pictures": len(response.pairing),
        "fill_moves": {
            "levels": interval(l1_levels(response.true, response.other), seed),
            "features": interval(feature_distance(of["true"], of["other"]), seed),
        },
        "noise_moves": {
            "levels": interval(l1_levels(response.true, response.reseeded), seed),
            "features": interval(feature_distance(of["true"], of["reseeded"]), seed),
        },
        "gain": {"levels": interval(l1, seed), "features": interval(features, seed)},
        "nearer": {
            "levels": interval(sign_score(l1), seed),
            "features": interval(sign_score(features), seed),
        },
    }


def colour_change(response: CaptionResponse) -> Tensor:
    """Project the change of each fill's mean Lab colour on old → new, `(N,)` in ΔE units."""
    change = mean_lab(response.other) - mean_lab(response.true)
    vectors = torch.stack([word_lab(new) - word_lab(old) for old, new in response.pairing.swaps])
    moves: Tensor = (change * vectors / vectors.norm(dim=1, keepdim=True)).sum(1)
    return moves


def feature_change(
    response: CaptionResponse,
    directions: Mapping[tuple[str, str], Direction],
    extract: ExtractFeatures,
) -> tuple[Tensor, list[tuple[str, str]]]:
    """Project the change of each fill's features on the direction of its words.

    Returns:
        `(M,)` shares of the way, and the words, of the pictures whose words have a direction.
    """
    swaps = response.pairing.swaps
    rows = [row for row, swap in enumerate(swaps) if swap in directions]
    if not rows:
        return torch.zeros(0, dtype=torch.float64), []
    change = extract(response.other[rows]) - extract(response.true[rows])
    shares = [directions[swaps[row]].share(moved) for row, moved in zip(rows, change, strict=True)]
    return torch.stack(shares), [swaps[row] for row in rows]


def direction_figures(
    change: Tensor, swaps: Sequence[tuple[str, str]], seed: int
) -> dict[str, Any]:
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


def mean_lab(fills: Tensor) -> Tensor:
    """Mean CIE Lab colour of each fill, uint8 `(N, 3, H, W)` to float64 `(N, 3)`."""
    colours = rgb2lab(fills.permute(0, 2, 3, 1).numpy())
    return torch.from_numpy(np.asarray(colours, np.float64)).mean((1, 2))


def word_lab(word: str) -> Tensor:
    """CIE Lab of a colour word, float64 `(3,)`."""
    return torch.from_numpy(rgb2lab(np.array(RGB[word]) / 255.0))
