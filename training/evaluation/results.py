"""The fills of every method on one set of pictures, with their features and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from models.geometry import SIZE, hide, hole_mask, to_float, to_uint8
from training.data.memory_dataset import PreparedSplit
from training.evaluation.baselines import TELEA
from training.evaluation.dataset import EvaluationSet, evenly_spaced, select_pictures
from training.evaluation.methods import (
    NO_CAPTION,
    REAL,
    TRUE_CAPTION,
    WRONG_CAPTION,
    FillFunction,
    Method,
    Progress,
    all_methods,
    bundle_methods,
    fill_all,
    median_time,
    with_captions,
)
from training.metrics.image_metrics import ImageMetrics
from training.metrics.mobilenet import FeatureExtractor

GRID_PICTURES = 24
Grid = tuple[dict[str, Tensor], list[str]]


@dataclass(frozen=True)
class MethodResults:
    """The fills of every method on one set of N pictures.

    Attributes:
        prepared: the prepared split.
        split: its name.
        pictures: N of its pictures.
        fills: method -> uint8 `(N, 3, 32, 32)`.
        reseeded: the bundle's fills with the true caption and other noise.
        features: of composites, method or `REAL` -> `(N, D)`; empty without extractor.
        milliseconds: method -> time of one picture, for the methods that were timed.
        seed: of the noise (seed + i for picture *i*), the wrong captions, subsets and resamples.
    """

    prepared: PreparedSplit
    split: str
    pictures: EvaluationSet
    fills: Mapping[str, Tensor]
    reseeded: Tensor
    features: Mapping[str, Tensor]
    milliseconds: Mapping[str, float]
    seed: int

    @property
    def name(self) -> str:
        """Source and split."""
        return f"{self.prepared.manifest.source}, {self.split}"

    @property
    def rows(self) -> Tensor:
        """Rows of the pictures in the split."""
        return evenly_spaced(len(self.prepared), len(self.pictures))

    def metrics(self, method: str) -> ImageMetrics:
        """Return the metrics of a method's composites, or of the `REAL` pictures."""
        real = self.pictures.pixels
        return ImageMetrics(
            images=real if method == REAL else self.pictures.composites(self.fills[method]),
            reals=real,
            features=self.features.get(method),
            real_features=self.features.get(REAL),
            seed=self.seed,
        )

    def about(self) -> dict[str, str]:
        """Return data, pictures, captions and seed in words."""
        pictures = self.pictures
        same = sum(
            pictures.captions[other] == caption
            for other, caption in zip(pictures.mismatched.tolist(), pictures.captions, strict=True)
        )
        return {
            "data": self.name,
            "data digest": self.prepared.digest,
            "pictures": f"{len(pictures)}, evenly spaced through {len(self.prepared)}, "
            f"central {SIZE}×{SIZE}",
            "captions": "the first of each picture; the wrong one is the first of another picture, "
            f"of another class where the data have classes ({same} read the same)",
            "seed": str(self.seed),
        }

    def grid(self) -> Grid:
        """Return columns and row labels of the grid: the first pictures, unpicked."""
        pictures = self.pictures
        methods = (TRUE_CAPTION, NO_CAPTION, WRONG_CAPTION, TELEA)
        columns = {
            "context": to_uint8(hide(to_float(pictures.pixels), hole_mask())),
            **{name: pictures.composites(self.fills[name]) for name in methods},
            "real": pictures.pixels,
        }
        labels = [
            f"{caption} [wrong: {pictures.captions[other]}]"
            for caption, other in zip(pictures.captions, pictures.mismatched.tolist(), strict=True)
        ]
        first = {name: column[:GRID_PICTURES] for name, column in columns.items()}
        return first, labels[:GRID_PICTURES]


def evaluate_methods(
    fill: FillFunction,
    others: Mapping[str, FillFunction],
    prepared: PreparedSplit,
    split: str,
    extractor: FeatureExtractor | None,
    *,
    limit: int | None,
    seed: int,
    batch_size: int,
    progress: Progress,
    timed: bool = True,
) -> MethodResults:
    """Fill the holes of a set by every method, and extract the features.

    Args:
        fill: of the bundle that is evaluated.
        others: name -> fill function of another bundle.
        prepared: the pictures.
        split: their split's name.
        extractor: of features; `None` for none.
        limit: how many pictures, evenly spaced; `None` for all.
        seed: picture *i* is filled with noise of seed + i.
        batch_size: pictures at a time in the networks; times are always of one at a time.
        progress: called after each batch of each method.
        timed: whether to time each method, one picture after the other.

    Raises:
        EvaluationError: fewer than two pictures, or pictures under 64×64.
    """
    pictures = select_pictures(prepared, limit, seed)
    methods = all_methods(fill, pictures, seed)
    methods |= {
        name: with_captions(other, pictures, pictures.vectors, seed)
        for name, other in others.items()
    }

    def report(stage: str, done: int, total: int | None) -> None:
        progress(f"{prepared.manifest.source}: {stage}", done, total)

    fills = run_methods(methods, len(pictures), batch_size, report)
    to_time = methods if timed else {}
    times = {name: median_time(method, len(pictures)) for name, method in to_time.items()}
    return MethodResults(
        prepared=prepared,
        split=split,
        pictures=pictures,
        fills=fills,
        reseeded=fill_reseeded(fill, pictures, seed, batch_size, report),
        features=extract_features(extractor, pictures, fills, batch_size, report),
        milliseconds=times,
        seed=seed,
    )


def evaluate_bundle(
    results: MethodResults, fill: FillFunction, extractor: FeatureExtractor | None, batch_size: int
) -> MethodResults:
    """Fill the same holes by another bundle, untimed; the other methods' fills are kept.

    Args:
        results: of one bundle, with `extractor`'s features if there are any.
        fill: of the other bundle.
        extractor: of features; `None` for none.
        batch_size: pictures at a time in the networks.
    """
    pictures, seed = results.pictures, results.seed
    methods = bundle_methods(fill, pictures, seed)
    fills = run_methods(methods, len(pictures), batch_size, no_progress)
    features = extract_features(extractor, pictures, fills, batch_size, no_progress)
    return replace(
        results,
        fills={**results.fills, **fills},
        reseeded=fill_reseeded(fill, pictures, seed, batch_size, no_progress),
        features={**results.features, **features},
        milliseconds={},
    )


def no_progress(stage: str, done: int, total: int | None) -> None:
    """Report no progress."""


def run_methods(
    methods: Mapping[str, Method], count: int, batch_size: int, progress: Progress
) -> dict[str, Tensor]:
    """Return each method's fills of `count` pictures."""
    return {n: fill_all(n, method, count, batch_size, progress) for n, method in methods.items()}


def fill_reseeded(
    fill: FillFunction, pictures: EvaluationSet, seed: int, batch_size: int, progress: Progress
) -> Tensor:
    """Fill with the true captions and the next noise, of seed + N + i."""
    method = with_captions(fill, pictures, pictures.vectors, seed + len(pictures))
    return fill_all("another seed", method, len(pictures), batch_size, progress)


def extract_features(
    extractor: FeatureExtractor | None,
    pictures: EvaluationSet,
    fills: Mapping[str, Tensor],
    batch_size: int,
    progress: Progress,
) -> dict[str, Tensor]:
    """Extract features of each method's composites and of the `REAL` pictures."""
    if extractor is None:
        return {}
    features: dict[str, Tensor] = {}
    for name, fill in {**fills, REAL: pictures.centres}.items():
        features[name] = extractor(pictures.composites(fill), batch_size)
        progress("features", len(features), len(fills) + 1)
    return features
